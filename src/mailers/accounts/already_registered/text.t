Somebody tried to sign up at {{ site }} with this address, which already has an account.

If it was you, log in here; the page also helps with a forgotten password:

{{ link | safe }}

If it was not you, there is nothing to do: nothing was changed.
