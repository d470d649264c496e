<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">A new address was asked for</p>
<p style="margin:0 0 20px;line-height:1.5">Somebody who knows your password asked to move your nproxy account to another mail address. It happens when the link that was sent there is opened.</p>
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">Set a new password</a></p>
<p style="margin:0 0 8px;font-size:14px;line-height:1.5;color:#59625f">If it was you, there is nothing to do here.</p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">If it was not you, set a new password at {{ site }} now: it ends every session and stops the change.</p>
</div></body></html>
