// The body of a function of (before, after, mode, width); it returns what the judge in Python reads.
//
// Both mails are written into frames that run no scripts and load nothing. In mode "static" the
// mail as it was keeps only what can be inlined: style rules outside of any at-rule, of sheets
// for all media or for screens, and of their selectors those that hold whatever the reader does.
// The mail as it became loses its style sheets, and what asked to be left alone is not judged. In
// mode "whole" both stay as they are.
const [before, after, mode, width] = arguments;

const OPT_OUT = "data-smtpeter-no-inline";
const CHANGING = /:(?:visited|hover|active|focus(?:-within|-visible)?|target|checked|indeterminate|default|enabled|disabled|autofill|-webkit-autofill|valid|invalid|required|optional|read-only|read-write|in-range|out-of-range|placeholder-shown|open|popover-open|modal|fullscreen|target-within|user-valid|user-invalid)\b|::|:(?:before|after|first-line|first-letter)\b/i;

function frame(html) {
  const element = document.createElement("iframe");
  element.sandbox = "allow-same-origin";
  element.style.cssText = `border: 0; width: ${width}px; height: 800px`;
  document.body.append(element);
  const page = element.contentDocument;
  page.open();
  page.write(html);
  page.close();
  return page;
}

// The selectors of a list; commas inside of brackets, parentheses and strings part nothing.
function selectors(text) {
  const found = [""];
  let depth = 0, quote = "";
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === "\\") { found[found.length - 1] += sign + (text[++at] ?? ""); continue; }
    if (quote) { if (sign === quote) quote = ""; }
    else if (sign === '"' || sign === "'") quote = sign;
    else if ("([".includes(sign)) depth++;
    else if (")]".includes(sign)) depth--;
    else if (sign === "," && depth === 0) { found.push(""); continue; }
    found[found.length - 1] += sign;
  }
  return found.map((each) => each.trim());
}

// Signs inside of strings and attribute selectors mean no pseudo-class.
const bare = (selector) => selector.replace(/\\.|"[^"]*"|'[^']*'|\[[^\]]*\]/g, "");

// Sheets that the mail has itself; those it links to never came.
const sheets = (page) => [...page.styleSheets].filter((sheet) => sheet.ownerNode.localName === "style");

function keepStatic(page) {
  for (const sheet of sheets(page)) {
    const conditional = sheet.ownerNode.hasAttribute(OPT_OUT)
      || !["", "all", "screen"].includes(sheet.media.mediaText.trim().toLowerCase());
    for (let at = sheet.cssRules.length - 1; at >= 0; at--) {
      const rule = sheet.cssRules[at];
      const kept = conditional || !isStyle(rule) ? []
        : selectors(rule.selectorText).filter((each) => !CHANGING.test(bare(each)));
      if (!kept.length) { sheet.deleteRule(at); continue; }
      rule.selectorText = kept.join(", ");
      for (let inner = rule.cssRules.length - 1; inner >= 0; inner--) {
        if (!isLoose(rule.cssRules[inner])) rule.deleteRule(inner);
      }
    }
  }
}

// Declarations behind a rule that is nested in theirs.
const isLoose = (rule) => rule instanceof was.defaultView.CSSNestedDeclarations;

const isStyle = (rule) => rule instanceof was.defaultView.CSSStyleRule;

// Whether a rule holds others that count in this window.
function holds(rule) {
  if (rule instanceof was.defaultView.CSSMediaRule) return was.defaultView.matchMedia(rule.conditionText).matches;
  return rule instanceof was.defaultView.CSSSupportsRule && CSS.supports(rule.conditionText);
}

function* styleRules(rules) {
  for (const rule of rules) {
    if (isStyle(rule)) yield rule;
    else if (holds(rule)) yield* styleRules(rule.cssRules);
  }
}

const elements = (page) => [page.documentElement,
  ...page.querySelectorAll("body, body *")].filter((each) => each.localName !== "style");

function describe(element) {
  const names = [];
  for (let each = element; each && names.length < 4; each = each.parentElement) {
    const id = each.id ? "#" + each.id : "";
    names.unshift(each.localName + id + [...each.classList].map((name) => "." + name).join(""));
  }
  return names.join(" > ");
}

// The properties of a rule or an element; of an element without `style` (a VML one), none.
const inlineNames = (each) => [...each.style ?? []].filter((name) => !name.startsWith("--"));

document.body.replaceChildren();
const was = frame(before), is = frame(after);
if (mode === "static") {
  keepStatic(was);
  for (const style of [...is.querySelectorAll("style")]) style.remove();
}

const rules = sheets(was).flatMap((sheet) => [...styleRules(sheet.cssRules)]).map((rule) => ({
  selector: rule.selectorText,
  names: [rule, ...[...rule.cssRules].filter(isLoose)].flatMap(inlineNames),
}));
const [old, young] = [elements(was), elements(is)];
// Also what only the new style attributes set: a rule that never counted may have been inlined.
const names = [...new Set([...rules.flatMap((rule) => rule.names), ...young.flatMap(inlineNames)])];
const result = { elements: old.length, became: young.length, rules: rules.length, judged: 0, differences: [] };
if (old.length === young.length) {
  old.forEach((element, at) => {
    if (mode === "static" && element.hasAttribute(OPT_OUT)) return;
    const setBy = new Map();
    for (const rule of rules) {
      if (element.matches(rule.selector)) for (const name of rule.names) setBy.set(name, rule.selector);
    }
    const expected = was.defaultView.getComputedStyle(element);
    const got = is.defaultView.getComputedStyle(young[at]);
    for (const name of names) {
      const [right, real] = [expected.getPropertyValue(name), got.getPropertyValue(name)];
      if (setBy.has(name) || right !== real) result.judged++;
      if (right !== real) result.differences.push({
        element: describe(element), number: at, property: name, expected: right, got: real,
        rule: setBy.get(name) ?? "", style: young[at].getAttribute("style") ?? "",
      });
    }
  });
}
return result;
