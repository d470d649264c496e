<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">Welcome to nproxy</p>
<p style="margin:0 0 20px;line-height:1.5">Open the page below and press its button to activate your account. Three free pictures are waiting for you.</p>
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">Activate my account</a></p>
<p style="margin:0 0 8px;font-size:14px;line-height:1.5;color:#59625f">The link works once, for 24 hours.</p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">If you did not sign up at {{ site }}, ignore this mail and press nothing: the account would have a password that somebody else chose. Without the button nothing happens.</p>
</div></body></html>
