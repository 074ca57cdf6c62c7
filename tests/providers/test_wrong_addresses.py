"""A server that answers, but has no API at the path: told from a model that is not there."""

from __future__ import annotations

import pytest

from umwelten.providers.common.errors import ADDRESS
from umwelten.providers.protocol import Endpoint, Head
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Failure

NO_SUCH_PATH = [
    (404, b'{"detail":"Not Found"}'),
    (404, b'{"detail":"404: Not Found"}'),
    (404, b"404 page not found"),
    (404, b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"),
    (404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found"),
    (404, b'{"timestamp":"t","status":404,"error":"Not Found","path":"/chat/completions"}'),
    (404, b'{"message":"no Route matched with those values"}'),
    (404, b"Cannot POST /chat/completions"),
    (404, b""),
    (
        404,
        b'{"error":{"message":"Invalid URL (POST /v1/v1/chat/completions)","type":"invalid_request_error"}}',
    ),
    (404, b'{"error":{"message":"Unknown request URL: POST /x.","code":"unknown_url"}}'),
    (404, b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
    (404, b'{"error":{"message":"The requested endpoint was not found."}}'),
    (405, b'{"detail":"Method Not Allowed"}'),
    (200, b'{"error":"Unexpected endpoint or method. (POST /chat/completions)"}'),
]
NO_SUCH_MODEL = [
    b'{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}',
    b'{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}',
    b'{"error":"model \'x\' not found, try pulling it first"}',
    b'{"error":{"code":404,"message":"models/x is not found for API version v1beta"}}',
    b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}',
    b'{"error":{"message":"Model not found"}}',
]
PROVIDERS = ["openai", "google", "anthropic", "ollama", "vllm"]


def refusal(provider: str, base_url: str, status: int, body: bytes) -> Failure:
    row = VENDORS[provider]
    place = Endpoint(vendor=row, base_url=base_url)
    outcome = WIRES[row.wire].decode(Head(status=status, headers={}, now_unix=0.0), body, place)
    assert isinstance(outcome, Failure)
    return outcome


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("status", "body"), NO_SUCH_PATH)
def test_a_path_without_an_api_stops_all_calls_there(provider: str, status: int, body: bytes) -> None:
    failure = refusal(provider, "http://gpu:8000", status, body)
    assert (failure.code, failure.lane_down, str(failure.kind)) == (ADDRESS, True, "unavailable")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("body", NO_SUCH_MODEL)
def test_a_model_that_is_not_there_is_no_wrong_address(provider: str, body: bytes) -> None:
    assert refusal(provider, "http://gpu:8000", 404, body).code != ADDRESS


def test_at_the_vendors_own_address_it_is_the_model_that_is_not_there() -> None:
    home = VENDORS["nvidia"].base_url
    assert refusal("nvidia", home, 404, b"404 page not found").code != ADDRESS
    assert refusal("vllm", VENDORS["vllm"].base_url, 404, b"404 page not found").code == ADDRESS
