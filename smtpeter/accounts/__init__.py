"""Who may send: accounts, their SMTP logins and tokens, behind one twisted.cred portal."""
