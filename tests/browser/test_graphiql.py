"""GraphiQL in a real browser: served whole from the service, with examples, without keeping tokens."""

import json
import re
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Error, Locator, Page, Response, expect

from tests.browser.conftest import Service, watched_page

pytestmark = pytest.mark.browser

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Ours only; what upstream draws is upstream's to mend.
OWN = {"include": [[".cam-panel"], [".cam-brand"], [".cam-notice"]]}


async def open_explorer(page: Page, address: str = "/graphql") -> None:
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible(timeout=30_000)
    await expect(page.locator(".graphiql-query-editor .view-line").first).to_be_visible()
    await expect(page.get_by_role("tab").first).to_be_visible()


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("API token").fill(token)
    await page.get_by_label("API token").press("Enter")


async def run(page: Page) -> Response:
    """Presses play and returns the answer to the operation (the schema may still be on its way)."""
    async with page.expect_response(
        lambda response: (
            response.request.method == "POST" and "IntrospectionQuery" not in (response.request.post_data or "")
        )
    ) as answer:
        await page.get_by_role("button", name="Execute query").click()
    return await answer.value


def result(page: Page) -> Locator:
    return page.locator(".result-window .view-lines")


def panel(page: Page) -> Locator:
    return page.locator(".cam-panel")


async def kept(page: Page) -> str:
    """Everything that the browser would keep of the page."""
    storages = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    return f"{storages} {json.dumps(await page.context.storage_state(indexed_db=True))}"


def lightness(color: str) -> float:
    match = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
    assert match, f"{color} is not one opaque colour"
    red, green, blue = (int(part) for part in match.groups())
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


async def background(page: Page, selector: str) -> float:
    color: str = await page.locator(selector).first.evaluate("element => getComputedStyle(element).backgroundColor")
    return lightness(color)


async def test_the_page_loads_with_the_network_closed(page: Page, service: Service, pictures: Path) -> None:
    """The fixture closes every host but the service's and fails on a request to any other."""
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    await open_explorer(page, "/")
    await expect(page).to_have_url(f"{service.url}/graphql")
    await expect(page).to_have_title("Client Access Manager")
    examples = httpx2.get(f"{service.url}/queries.json").json()
    await expect(page.get_by_role("tab")).to_have_count(min(4, len(examples)))
    await expect(panel(page)).to_match_aria_snapshot("""
        - heading "Sign in" [level=2]
        - text: API token
        - textbox "API token"
        - button "Sign in"
        - heading "Where to get a token" [level=3]
    """)
    await page.screenshot(path=pictures / "graphiql-light.png", animations="disabled")
    assert failed == []


async def test_the_explorer_knows_the_schema_without_a_token(page: Page) -> None:
    await open_explorer(page)
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(page.get_by_role("link", name="Query", exact=True)).to_be_visible()


async def test_the_first_tab_runs_and_shows_data(page: Page, service: Service, pictures: Path) -> None:
    await open_explorer(page)
    await sign_in(page, service.token)
    await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()
    answer = await run(page)
    assert answer.status == 200
    assert answer.request.headers["authorization"] == f"Bearer {service.token}"
    assert "errors" not in await answer.json()
    await expect(result(page)).to_contain_text('"data": {')
    await expect(result(page)).to_contain_text("@")
    await page.screenshot(path=pictures / "graphiql-result.png", animations="disabled")


async def test_a_pasted_header_line_signs_in_too_and_the_page_says_who_it_is(page: Page, service: Service) -> None:
    await open_explorer(page)
    await sign_in(page, f"  Bearer {service.token}\n")
    await expect(panel(page)).to_contain_text("@")
    await expect(panel(page)).to_contain_text("This token may")
    name = await panel(page).locator(".cam-name").inner_text()
    await expect(page.locator(".cam-brand")).to_contain_text(name)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API token")).to_have_value("")


async def test_a_token_that_is_not_accepted_is_told_in_words(page: Page) -> None:
    await open_explorer(page)
    for token, message in [
        ("", "Paste a token first."),
        ("two words", "one word"),
        ("cam_mistyped", "does not accept this token"),
    ]:
        await sign_in(page, token)
        await expect(panel(page).get_by_role("alert")).to_contain_text(message)
    await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


async def test_a_refused_operation_says_what_to_do_and_no_header_is_kept(page: Page) -> None:
    """GraphiQL's own history would keep the headers of each operation."""
    await open_explorer(page)
    await page.get_by_role("button", name="Show Examples").click()
    await page.get_by_role("button", name="Headers").click()
    await page.locator(".graphiql-editor-tool .monaco-editor:visible").click()
    await page.keyboard.insert_text('{"Authorization": "Bearer cam_from_the_headers"}')
    await expect(page.locator(".graphiql-editor-tool .view-lines:visible")).to_contain_text("cam_from_the_headers")
    await page.wait_for_function("Object.values(localStorage).some((value) => value.includes('tabs'))")
    answer = await run(page)
    assert answer.request.headers["authorization"] == "Bearer cam_from_the_headers"
    assert answer.status == 401
    await expect(page.locator(".cam-notice")).to_contain_text("sign in with an API token")
    await page.locator(".cam-notice").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("API token")).to_be_visible()
    await page.wait_for_function("Object.keys(localStorage).some((key) => key.endsWith(':queries'))")
    assert "cam_from_the_headers" not in await kept(page)


async def test_an_example_opens_in_a_new_tab_and_waits(page: Page, service: Service, pictures: Path) -> None:
    examples = httpx2.get(f"{service.url}/queries.json").json()
    chosen = next(example for example in reversed(examples) if example["variables"])
    await open_explorer(page)
    tabs = await page.get_by_role("tab").count()
    await page.get_by_role("button", name="Show Examples").click()
    await expect(panel(page).get_by_role("listitem")).to_have_count(len(examples))
    await expect(panel(page)).to_contain_text(examples[0]["comment"])
    await page.screenshot(path=pictures / "graphiql-examples.png", animations="disabled")

    title = chosen["name"].replace("_", " ").capitalize()
    await page.get_by_label("Search the examples").fill(title)
    await panel(page).locator(".cam-example-title").get_by_text(title, exact=True).click()
    await expect(page.get_by_role("tab")).to_have_count(tabs + 1)
    await expect(page.get_by_role("tab", selected=True)).to_have_count(1)
    first_line = chosen["query"].strip().splitlines()[0]
    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text(first_line)
    name = next(iter(chosen["variables"]))
    await expect(page.locator(".graphiql-editor-tool .view-lines:visible")).to_contain_text(f'"{name}"')
    await expect(result(page)).to_have_text("")


async def test_an_example_runs_at_once_under_its_own_name(page: Page, service: Service) -> None:
    examples = httpx2.get(f"{service.url}/queries.json").json()
    chosen = next(
        example for example in reversed(examples) if re.search(r"^query (\w+)", example["query"], re.MULTILINE)
    )
    match = re.search(r"^query (\w+)", chosen["query"], re.MULTILINE)
    assert match
    await open_explorer(page)
    await page.get_by_role("button", name="Show Examples").click()
    title = chosen["name"].replace("_", " ").capitalize()
    await panel(page).locator(".cam-example-title").get_by_text(title, exact=True).click()
    answer = await run(page)
    assert json.loads(answer.request.post_data or "")["operationName"] == match[1]


async def test_a_search_that_finds_nothing_says_so(page: Page) -> None:
    await open_explorer(page)
    await page.get_by_role("button", name="Show Examples").click()
    await page.get_by_label("Search the examples").fill("nothing has this name")
    await expect(panel(page).get_by_role("status")).to_contain_text("matches “nothing has this name”")
    await expect(panel(page).get_by_role("listitem")).to_have_count(0)


async def test_the_token_is_kept_nowhere_and_a_reload_forgets_it(page: Page, service: Service) -> None:
    await open_explorer(page)
    await sign_in(page, service.token)
    await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()
    await run(page)
    await page.wait_for_function("Object.keys(localStorage).some((key) => key.endsWith(':queries'))")
    text = await kept(page)
    assert "client-access-manager:" in text
    assert service.token not in text
    assert service.token not in await page.content()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    await expect(page.get_by_label("API token")).to_have_value("")


async def test_the_page_follows_the_scheme_of_the_system(page: Page, dark_page: Page, pictures: Path) -> None:
    await open_explorer(page)
    await open_explorer(dark_page)
    await dark_page.screenshot(path=pictures / "graphiql-dark.png", animations="disabled")
    for selector in ("body", ".graphiql-container"):
        assert await background(page, selector) > 0.9, selector
        assert await background(dark_page, selector) < 0.25, selector
    editor = ".graphiql-query-editor .monaco-editor"
    dark = re.compile(r"\bvs-dark\b")
    await expect(dark_page.locator(editor)).to_have_class(dark)
    await expect(page.locator(editor)).not_to_have_class(dark)
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator(editor)).to_have_class(dark)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_what_we_add_to_the_explorer_is_accessible(browser: Browser, service: Service, scheme: str) -> None:
    async with watched_page(browser, service, "dark" if scheme == "dark" else "light") as page:
        await open_explorer(page)
        await sign_in(page, "cam_mistyped")
        await expect(panel(page).get_by_role("alert")).to_contain_text("does not accept")
        reports = [await Axe().run(page, context=OWN, options=WCAG)]
        await sign_in(page, service.token)
        await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()
        reports.append(await Axe().run(page, context=OWN, options=WCAG))
        await page.get_by_role("button", name="Browse the examples").click()
        await expect(panel(page).get_by_role("listitem").first).to_be_visible()
        reports.append(await Axe().run(page, context=OWN, options=WCAG))
        for report in reports:
            assert report.violations_count == 0, report.generate_report()
            assert len(report.response["passes"]) > 5


async def test_the_explorer_is_worked_by_keyboard_alone(page: Page, service: Service) -> None:
    await open_explorer(page)
    await page.get_by_label("API token").focus()
    await page.keyboard.insert_text(service.token)
    await page.keyboard.press("Tab")
    await expect(panel(page).get_by_role("button", name="Sign in")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()


async def misbehave(browser: Browser, service: Service) -> None:
    async with watched_page(browser, service, "light") as page:
        await open_explorer(page)
        await page.evaluate("fetch('https://elsewhere.test/data').catch(() => null)")
        async with page.expect_event("pageerror"):
            await page.evaluate("void setTimeout(() => { throw new Error('a script failed') })")
        with pytest.raises(Error):
            await page.goto("https://elsewhere.test/page")


async def test_the_watch_over_each_page_sees_what_a_page_must_not_do(browser: Browser, service: Service) -> None:
    with pytest.raises(AssertionError) as caught:
        await misbehave(browser, service)
    for sign in ("connect-src https://elsewhere.test/data", "a script failed", "'https://elsewhere.test/page'"):
        assert sign in str(caught.value)
