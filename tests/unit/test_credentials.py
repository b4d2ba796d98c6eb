"""What is masked as a credential, and what is not."""

from __future__ import annotations

import time

import pytest

from reproof.credentials import find_in_code, is_credential, is_secret_name, mask_command, mask_text, mask_values

KEY = "3f2a9c1b7d8e4f60a1b2c3d4e5f60718293a4b5c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:hunter2@db.example/study", "postgresql://me:***@db.example/study"),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
        ("login with hf_AbCdEfGhIjKlMnOpQrStUv now", "login with *** now"),
        ("password=hunter2, user=me", "password=***, user=me"),
        ('{"api_key": "abc-123"}', '{"api_key": "***"}'),
        ("DB_PASSWORD: 1234", "DB_PASSWORD: ***"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "***"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nb3Bl\n-----END PGP PRIVATE KEY BLOCK-----", "***"),
        (f"https://{KEY}@git.example/x.git", "https://***@git.example/x.git"),
        ("postgresql://me:ab/c+d@db/x", "postgresql://me:***@db/x"),
        (f"AccountName=x;AccountKey={KEY}==;Suffix=y", "AccountName=x;AccountKey=***;Suffix=y"),
        (f"https://x.example/c?sp=r&sig={KEY}%3D&se=1", "https://x.example/c?sp=r&sig=***&se=1"),
        (f"k?X-Amz-Signature={KEY}", "k?X-Amz-Signature=***"),
        ("Authorization: Basic bWU6cHc=", "Authorization: Basic ***"),
        (f"X-Key: {KEY}", "X-Key: ***"),
        (f"wandb.login(key='{KEY}')", "wandb.login(key='***')"),
        (f"wandb login {KEY}", "wandb login ***"),
        (f"using token {KEY}", "using token ***"),
        ("with password hunter2hunter2", "with password ***"),
        (f"SECRET_KEY={KEY}", "SECRET_KEY=***"),
        ("db_pass: hunter2hunter2", "db_pass: ***"),
        ('password: "two words", user: me', 'password: "***", user: me'),
        ('{\\"token\\": \\"abc\\"}', '{\\"token\\": \\"***\\"}'),
        (f"https://hooks.slack.com/services/T0/B0/{KEY}", "https://hooks.slack.com/services/***"),
    ],
)
def test_credentials_are_masked(text: str, expected: str) -> None:
    """Passwords in URLs, tokens of services, keys, and what a name announces."""
    assert mask_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "loss 0.25 at step 10",
        "tokens: 512",
        "loss per token: 0.731",
        "token=17",
        "key: value",
        "https://example.org/a:b",
        "see http://localhost:8080/path",
        "num_tokens = 1e9",
        "pass: 2, key: layers.0.weight",
        "key: value1, login again",
        "http://localhost:8080/a@b",
        "commit 3f2a9c1b7d8e4f60a1b2c3d4e5f60718293a4b5c",
        "forward pass: resnet50, key: transformer_block_12",
    ],
)
def test_results_stay(text: str) -> None:
    """Numbers, and addresses without a password, are shown as they are."""
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "start",
    [
        *("sk_live_", "xapp-1-A-", "ya29.", "GOCSPX-", "gsk_", "r8_", "xai-", "dckr_pat_", "12345678:AA", "dop_v1_"),
        *("api_org_", "dapi", "SK", f"SG.{KEY[:22]}."),
    ],
)
def test_tokens_of_known_forms_are_masked(start: str) -> None:
    """Wherever they stand."""
    length = 32 if start in {"dapi", "SK"} else 40
    assert mask_text(f"as {start}{KEY[:length]}, 3") == "as ***, 3"


@pytest.mark.parametrize("text", ["key=", "a-", "a://b:c,", "eyJaaaaaaaaa.", "pass:", "token='", "key=a"])
def test_the_time_grows_with_the_length(text: str) -> None:
    """A line without a space may be as long as a file: each place is looked at once, and not all that follows it."""
    start = time.process_time()
    mask_text("key=" + text * 40_000)
    assert time.process_time() - start < 20  # looked at from each place it takes minutes


def test_options_of_a_command_line_are_masked() -> None:
    """Their values, whether given in the next word or after ``=``; other options stay."""
    command = (
        "train.py",
        "--password",
        "hunter2",
        "--api-key=abc",
        "--tokenizer",
        "bert",
        "--max-tokens",
        "9",
        "--token",
    )
    expected = ("train.py", "--password", "***", "--api-key=***", "--tokenizer", "bert", "--max-tokens", "9", "--token")
    assert mask_command(command) == expected
    assert mask_command(("a.py", "mysql://u:p@h/d")) == ("a.py", "mysql://u:***@h/d")
    assert mask_command(("a.py", "--auth", "me:pw", "-u", "1000:1000")) == (
        "a.py",
        "--auth",
        "me:***",
        "-u",
        "1000:1000",
    )


@pytest.mark.parametrize(
    ("word", "value", "is_masked"),
    [
        ("--db-pass", "hunter2", True),
        ("--pw", "x", True),
        ("--wandb-key", "0123456789abcdef0123", True),
        ("--pass", "2", False),
        ("--sort-key", "validation_loss_of_epoch", False),
        ("--sort-key", "validation_loss_epoch_12", False),
        ("--bypass", "hunter2", False),
    ],
)
def test_short_names_of_options_announce_what_looks_like_one(word: str, value: str, *, is_masked: bool) -> None:
    """As the next word and after ``=``; a number of a pass and the name of a key stay."""
    expected = "***" if is_masked else value
    assert mask_command(("a.py", word, value)) == ("a.py", word, expected)
    assert mask_command(("a.py", f"{word}={value}")) == ("a.py", f"{word}={expected}")


def test_values_are_masked_by_their_keys() -> None:
    """Within mappings and lists; numbers stay what they are."""
    assert mask_values({"db": [{"dbPassword": "x", "lr": 0.1}], "url": "a://b:c@d"}) == {
        "db": [{"dbPassword": "***", "lr": 0.1}],
        "url": "a://b:***@d",
    }


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("db_password", "x", True),
        ("password", "", False),
        ("wandb_api_key", "cfgsecret98765", True),
        ("url", "postgresql://me:pw@db/x", True),
        ("note", "hf_AbCdEfGhIjKlMnOpQrSt", True),
        ("pad_token", "<pad>", False),
        ("token", "whitespace", False),
        ("sort_key", "name2", False),
        ("max_tokens", 512, False),
    ],
)
def test_values_of_a_configuration(name: str, value: object, *, expected: bool) -> None:
    """By their form or by their name; words of a vocabulary are none."""
    assert is_credential(name, value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("--db-password", True),
        ("apiKey", True),
        ("SECRET", True),
        ("tokenizer", False),
        ("keys", False),
        ("pad", False),
    ],
)
def test_names_that_announce_a_credential(name: str, expected: bool) -> None:  # noqa: FBT001  # a parameter
    """By their words."""
    assert is_secret_name(name) == expected


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ('password = "hunter2"', True),
        ('self.api_key = "abc"', True),
        ('config["token"] = "abc"', True),
        ('login(token="abc123")', True),
        ('def f(x, *, secret="s3cr3t"): pass', True),
        ('url = "postgres://me:pw@host/db"', True),
        ('x = "hf_abcdefghijklmnopqrstu"', True),
        ("# password: hunter2", True),
        ('KEY = """-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----"""', True),
        ("token = read()", False),
        ("def f(token: str): pass", False),
        ("# token: the index of it", False),
        ('"Authorization: %s, api_key: {key}, token=<token>"', False),
        ('"Authorization: %sx81, api_key: {key}"', True),
        ("# the first pass: resnet50; its last key: layer4_block2_conv3", False),
        ('"""Args:\n  token: index of the token"""', False),
        ('f(password=os.environ["PW"])', False),
        ('pad_token = "[PAD]"', False),
        ('token = "<pad>"', False),
        ('password = ""', False),
        ("not python password=hunter2", True),
    ],
)
def test_credentials_in_code_are_found(code: str, is_found: bool) -> None:  # noqa: FBT001  # a parameter
    """What is written out, by form or by its name; a name alone, or a description, is none."""
    assert bool(find_in_code(code)) is is_found
