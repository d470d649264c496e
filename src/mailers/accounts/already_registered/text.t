Somebody tried to sign up at {{ site }} with this address, which already has an account.

If it was you, log in here:

{{ login | safe }}

If you have forgotten your password, choose a new one here; the link works once, for 24 hours:

{{ link | safe }}

If it was not you, there is nothing to do: nothing was changed.
