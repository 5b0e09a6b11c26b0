"""Styles move from `<style>` elements into `style` attributes, within the source as it stands."""

from smtpeter.transform.inlinecss.inliner import Inliner

__all__ = ["Inliner"]
