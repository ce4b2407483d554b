"""A subscription in the explorer: over a WebSocket of the page, with the token that the person has signed in with."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Service
from tests.browser.test_graphiql import open_explorer, panel, result, sign_in

pytestmark = pytest.mark.browser


async def watch_an_operation(page: Page) -> None:
    await page.get_by_role("button", name="Show Examples").click()
    await panel(page).locator(".cam-example-title").get_by_text("Operation progress", exact=True).click()
    await page.get_by_role("button", name="Execute query").click()


async def test_an_example_that_watches_an_operation_shows_how_far_it_is(page: Page, service: Service) -> None:
    await open_explorer(page)
    await sign_in(page, service.token)
    await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()
    await watch_an_operation(page)
    await expect(result(page)).to_contain_text('"operationProgress"')
    await expect(result(page)).to_contain_text('"COMPLETED"')


async def test_a_subscription_of_nobody_says_to_sign_in_and_works_afterwards(page: Page, service: Service) -> None:
    await open_explorer(page)
    await watch_an_operation(page)
    await expect(result(page)).to_contain_text('"UNAUTHENTICATED"')
    notice = page.locator(".cam-notice")
    await expect(notice).to_contain_text("sign in with an API token first")
    await notice.get_by_role("button", name="Sign in").click()
    await sign_in(page, service.token)
    await expect(page.get_by_role("heading", name="Signed in")).to_be_visible()
    await page.get_by_role("button", name="Execute query").click()
    await expect(result(page)).to_contain_text('"COMPLETED"')
