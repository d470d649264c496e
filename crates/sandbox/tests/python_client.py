"""Google's own client against the stand-in: `python3 python_client.py http://127.0.0.1:PORT`.

Prints `ok` at the end; any difference from the real service's behaviour raises.
"""

import json
import sys
import urllib.request

from google import genai
from google.genai import errors, types

BASE = sys.argv[1].rstrip("/")
KEY = "sandbox-python"


# A client closes its connections as soon as nobody holds it.
held = []


def client(key=KEY, version="v1beta"):
    retry = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=BASE, api_version=version, retry_options=retry)
    held.append(genai.Client(api_key=key, http_options=options))
    return held[-1]


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as response:
        return response.read()


def picture(response):
    """The last picture that is not a thought, as the wire page tells to take it."""
    parts = response.candidates[0].content.parts
    found = [part for part in parts if part.inline_data and not part.thought]
    assert found, response
    return found[-1].inline_data


def draws():
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"],
        image_config=types.ImageConfig(aspect_ratio="16:9", image_size="1K"),
        safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")],
    )
    response = client().models.generate_content(
        model="gemini-nano-banana-2.1", contents="mountains at dawn", config=config
    )
    blob = picture(response)
    assert blob.mime_type == "image/jpeg" and blob.data[:2] == b"\xff\xd8", blob.mime_type
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.usage_metadata.candidates_token_count == 1120
    assert response.usage_metadata.total_token_count > 1120
    assert response.model_version == "gemini-nano-banana-2.1" and response.response_id

    response = client(version=None).models.generate_content(model="gemini-2.5-flash-image", contents="a cat")
    blob = picture(response)
    assert blob.mime_type == "image/png" and blob.data.startswith(b"\x89PNG")
    assert response.text, "without modalities there are words beside the picture"
    return blob.data


def redraws(source):
    part = types.Part.from_bytes(data=source, mime_type="image/png")
    response = client().models.generate_content(
        model="gemini-3-pro-image",
        contents=["the same at night. Change strength: 40%.", part],
        config=types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"]),
    )
    assert picture(response).data
    calls = json.loads(control("GET", "/sandbox/calls"))["calls"]
    (sent,) = calls[-1]["inputs"]
    assert sent["len"] == len(source), "URL-safe base64 arrives whole"


def talks():
    config = types.GenerateContentConfig(max_output_tokens=1)
    response = client().models.generate_content(model="gemini-2.5-flash-lite", contents="ping", config=config)
    assert response.text == "Ready", response
    names = [model.name for model in client().models.list()]
    assert "models/gemini-nano-banana-2.1" in names, names
    assert client().models.get(model="gemini-3-pro-image").display_name == "Nano Banana Pro"


def fails(fault, code, status, says="", model="gemini-nano-banana-2.1"):
    control("POST", "/sandbox/faults", {"key": KEY, "fault": fault, "times": 1})
    try:
        client().models.generate_content(model=model, contents="x")
    except errors.APIError as error:
        assert (error.code, error.status) == (code, status), (fault, error)
        assert says in (error.message or ""), (fault, error.message)
        assert isinstance(error, errors.ClientError if code < 500 else errors.ServerError)
        return error
    raise AssertionError(f"{fault} did not fail")


def refuses():
    fails({"kind": "status", "code": 503}, 503, "UNAVAILABLE", "overloaded")
    fails({"kind": "status", "code": 500}, 500, "INTERNAL")
    fails({"kind": "array_error", "code": 503}, 503, "UNAVAILABLE")
    limited = fails({"kind": "rate_limited", "retry_after_s": 22}, 429, "RESOURCE_EXHAUSTED", "Please retry in 22.4s.")
    kinds = [detail["@type"].rsplit(".", 1)[1] for detail in limited.details["error"]["details"]]
    assert kinds == ["Help", "QuotaFailure", "RetryInfo"], kinds
    fails({"kind": "no_funds"}, 429, "RESOURCE_EXHAUSTED", "prepayment credits are depleted")
    fails({"kind": "spending_cap"}, 429, "RESOURCE_EXHAUSTED", "exceeded its monthly spending cap")
    fails({"kind": "leaked"}, 403, "PERMISSION_DENIED", "leaked")
    fails({"kind": "unauthenticated"}, 401, "UNAUTHENTICATED")
    fails({"kind": "model_gone"}, 404, "NOT_FOUND")
    fails({"kind": "wrong_country"}, 400, "FAILED_PRECONDITION", "location is not supported")
    try:
        client(key="nonsense").models.generate_content(model="gemini-nano-banana-2.1", contents="x")
        raise AssertionError("a wrong key did not fail")
    except errors.ClientError as error:
        assert error.code == 400 and "API key not valid" in error.message, error
    try:
        config = types.GenerateContentConfig(candidate_count=2)
        client().models.generate_content(model="gemini-nano-banana-2.1", contents="x", config=config)
        raise AssertionError("two candidates did not fail")
    except errors.ClientError as error:
        assert error.message == "Multiple candidates is not enabled for this model", error


def answers_nothing():
    control("POST", "/sandbox/faults", {"key": KEY, "fault": {"kind": "refused_prompt"}, "times": 1})
    response = client().models.generate_content(model="gemini-nano-banana-2.1", contents="x")
    assert not response.candidates and response.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    fault = {"kind": "refused_output", "finish_reason": "IMAGE_SAFETY"}
    control("POST", "/sandbox/faults", {"key": KEY, "fault": fault, "times": 1})
    response = client().models.generate_content(model="gemini-nano-banana-2.1", contents="x")
    assert response.candidates[0].finish_reason == types.FinishReason.IMAGE_SAFETY
    control("POST", "/sandbox/faults", {"key": KEY, "fault": {"kind": "thoughts"}, "times": 1})
    response = client().models.generate_content(model="gemini-nano-banana-2.1", contents="x")
    parts = response.candidates[0].content.parts
    assert sum(1 for part in parts if part.thought and part.inline_data) == 2
    assert parts[-1].thought_signature and response.usage_metadata.thoughts_token_count == 80


redraws(draws())
talks()
refuses()
answers_nothing()
print("ok")
