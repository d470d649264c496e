Somebody with an nproxy account wants it to belong to this address.

If it was you, open this link and press the button:

{{ link | safe }}

The link works once, for 24 hours.

If you did not ask for this at {{ site }}, ignore this mail: without the button nothing happens.
