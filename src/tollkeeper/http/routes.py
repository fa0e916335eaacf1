"""The application, put together from its routes and what they run on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tollkeeper.http import admin, app_page, assets, health, pages
from tollkeeper.http.accounts import (
    account,
    acting,
    activity,
    alerts,
    first_operator,
    keys,
    leaving,
    logins,
    passkeys,
    preferences,
    sign_in,
    takeout,
    variables,
)
from tollkeeper.http.admin.overview import Overviews
from tollkeeper.http.assets import Assets
from tollkeeper.http.backend import Backend
from tollkeeper.http.callers import Callers
from tollkeeper.http.dashboards import analytics, dashboard, live
from tollkeeper.http.dashboards.kept import Dashboards
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.http.docs import openapi
from tollkeeper.http.docs.openapi import Description
from tollkeeper.http.exchange import Parts
from tollkeeper.http.exposition import numbers_of_process
from tollkeeper.http.front import Front, guards_of
from tollkeeper.http.measures import Measures
from tollkeeper.http.plans import catalogue, changes, entitlements, selling
from tollkeeper.http.routing import Route
from tollkeeper.http.tracking import batch, chat, listing

ROUTES: tuple[Route, ...] = (
    chat.start_tracking,
    chat.finish_tracking,
    batch.track_batch,
    listing.list_requests,
    chat.show_request,
    chat.list_sessions,
    chat.list_session_requests,
    dashboard.show_dashboard,
    dashboard.rebuild_dashboard,
    live.follow_dashboard,
    catalogue.show_plans,
    catalogue.show_own_plan,
    changes.change_plan,
    changes.preview_plan,
    changes.list_plans_had,
    selling.buy_plan,
    selling.manage_plan,
    selling.take_stripe_event,
    entitlements.list_entitlements,
    entitlements.show_entitlement,
    preferences.show_settings,
    preferences.change_settings,
    alerts.list_alerts,
    alerts.see_alerts,
    analytics.show_analytics,
    analytics.show_overall_analytics,
    analytics.list_top_users,
    variables.list_variables,
    variables.show_variable,
    variables.put_variable,
    variables.put_variables,
    variables.delete_variable,
    account.who_am_i,
    account.change_account,
    logins.list_logins,
    logins.end_login,
    logins.end_logins,
    passkeys.list_passkeys,
    passkeys.prepare_passkey,
    passkeys.add_passkey,
    passkeys.rename_passkey,
    passkeys.remove_passkey,
    passkeys.ask_for_passkey,
    passkeys.enter_by_passkey,
    account.sign_out,
    sign_in.show_ways,
    sign_in.ask_for_mail,
    sign_in.redeem_code,
    sign_in.show_link_of_mail,
    sign_in.sign_in_by_mail,
    sign_in.go_to_github,
    sign_in.come_from_github,
    first_operator.show_first_operator,
    first_operator.become_first_operator,
    sign_in.disconnect_github,
    sign_in.show_sign_in,
    sign_in.sign_in,
    keys.list_keys,
    keys.create_key,
    keys.revoke_key,
    keys.rotate_key,
    activity.list_activity,
    takeout.export_account,
    leaving.delete_account,
    acting.act,
    acting.stop_acting,
    admin.activity.list_all_activity,
    admin.alerts.list_all_alerts,
    admin.overview.show_overview,
    admin.users.list_users,
    admin.users.show_user,
    admin.users.change_user,
    admin.users.delete_user,
    admin.users.show_users_dashboard,
    admin.users.list_users_requests,
    admin.users.show_users_request,
    admin.plan_of_user.show_users_plan,
    admin.plan_of_user.change_users_plan,
    admin.plan_of_user.preview_users_plan,
    admin.plan_of_user.list_users_plans,
    admin.plan_door.tell_users_plan,
    admin.exceptions.list_overrides,
    admin.exceptions.add_override,
    admin.exceptions.end_override,
    admin.exceptions.list_grants,
    admin.exceptions.add_grant,
    admin.exceptions.end_grant,
    admin.invitations.list_invitations,
    admin.invitations.invite,
    admin.invitations.withdraw,
    admin.plans.list_plans,
    admin.plans.put_plan,
    admin.plans.migrate_users,
    admin.models.list_models,
    admin.models.list_prices,
    admin.models.put_price,
    admin.models.delete_price,
    admin.models.reprice,
    admin.system.show_system,
    admin.keys.list_service_keys,
    admin.keys.create_service_key,
    admin.keys.revoke_any_key,
    admin.keys.rotate_service_key,
    admin.webhooks.list_webhooks,
    admin.webhooks.add_webhook,
    admin.webhooks.show_webhook,
    admin.webhooks.change_webhook,
    admin.webhooks.remove_webhook,
    admin.webhooks.test_webhook,
    admin.webhooks.rotate_webhook,
    admin.webhooks.reveal_webhook_secret,
    admin.webhook_deliveries.list_deliveries,
    admin.webhook_deliveries.replay_delivery,
    admin.webhook_deliveries.replay_failed_deliveries,
    app_page.app,
    assets.asset,
    pages.problem,
    openapi.openapi,
    openapi.readable,
    health.healthz,
    health.readyz,
    health.metrics,
)


@asynccontextmanager
async def answering(backend: Backend, routes: tuple[Route, ...] = ROUTES) -> AsyncGenerator[Front]:
    """Give the application, which answers for as long as the block lasts."""
    callers, dashboards = Callers(backend), Dashboards(backend)
    async with callers, dashboards, Streams(backend, dashboards, callers) as streams:
        assets, measures = Assets.packaged(), Measures()
        front = Front(
            Parts(
                backend,
                guards_of(backend.public_url),
                callers,
                dashboards,
                streams,
                measures,
                Overviews(backend.database),
                Description(routes, backend.version),
                *([assets] if assets else []),
            ),
            routes,
        )
        if backend.siblings is None:
            yield front
        else:
            async with backend.siblings.kept(lambda: numbers_of_process(measures, backend, streams)):
                yield front
