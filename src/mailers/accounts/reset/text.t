Somebody asked to set a new password for your nproxy account.

If it was you, open this link and choose one:

{{ link | safe }}

The link works once, for 24 hours. Setting a new password signs you out everywhere.

If it was not you, ignore this mail: your password stays as it is.
