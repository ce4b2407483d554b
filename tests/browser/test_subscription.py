"""A subscription in the explorer: over a WebSocket of the page, with the token that the person has signed in with."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Service
from tests.browser.test_graphiql import open_explorer, panel, result, sign_in

pytestmark = pytest.mark.browser


async def test_an_example_that_watches_an_operation_shows_how_far_it_is(page: Page, service: Service) -> None:
    await open_explorer(page)
    await sign_in(page, service.token)
    await page.get_by_role("button", name="Show Examples").click()
    await panel(page).locator(".cam-example-title").get_by_text("Operation progress", exact=True).click()
    await page.get_by_role("button", name="Execute query").click()
    await expect(result(page)).to_contain_text('"operationProgress"')
    await expect(result(page)).to_contain_text('"COMPLETED"')
