<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">You already have an account</p>
<p style="margin:0 0 20px;line-height:1.5">Somebody tried to sign up at {{ site }} with this address. If it was you, log in:</p>
<p style="margin:0 0 20px"><a href="{{ login }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">Log in</a></p>
<p style="margin:0 0 8px;font-size:14px;line-height:1.5;color:#59625f">Forgotten your password? <a href="{{ link }}" style="color:#0f6f5c">Choose a new one</a>; the link works once, for 24 hours.</p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">If it was not you, there is nothing to do: nothing was changed.</p>
</div></body></html>
