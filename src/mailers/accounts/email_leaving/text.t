Somebody who knows your password asked to move your nproxy account to another mail address. It happens when the link
that was sent there is opened.

If it was you, there is nothing to do here.

If it was not you, set a new password now; it ends every session at {{ site }} and stops the change:

{{ link | safe }}
