The password of your nproxy account was changed, and every other session was ended.

If it was you, there is nothing to do.

If it was not you, set a new password at {{ site }} now; it ends every session and lets you in again:

{{ link | safe }}
