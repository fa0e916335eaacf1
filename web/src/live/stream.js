/**
 * The dashboard as it moves, with one event stream for each browser.
 *
 * Of all tabs one leads: the one that holds the lock. It reads the stream and passes each state on to the others. When
 * it is closed the browser gives the lock to another tab, which then reads a stream of its own.
 */
import {} from "./mergePatch";
import { Reader } from "./reader";
export {} from "./reader";
const tabs = new Map();
/**
 * Hear the signed-in user's dashboard now and whenever it changes; gives the function that ends it.
 *
 * With `userId` (recommended) only this user's is told: once somebody else is signed in here, the status is `ended`.
 */
export function subscribe(listener, userId) {
    const tab = tabs.get(userId) ?? new Tab(userId);
    tabs.set(userId, tab);
    // What comes over the stream is what OpenAPI calls DashboardShown; the caller's type says the same.
    const heard = (dashboard, status) => {
        listener(dashboard, status);
    };
    tab.add(heard);
    return () => {
        tab.remove(heard);
        if (tab.isIdle && tabs.get(userId) === tab) {
            tabs.delete(userId);
            tab.close();
        }
    };
}
/** What this tab knows, whether it leads or hears from the one that does. */
class Tab {
    userId;
    channel;
    listeners = new Set();
    leaving = new AbortController();
    state = { dashboard: null, status: "connecting" };
    reader = null;
    constructor(userId) {
        this.userId = userId;
        const name = `tollkeeper-dashboard:${userId ?? ""}`;
        this.channel = new BroadcastChannel(name);
        this.channel.addEventListener("message", (event) => {
            this.hear(event.data);
        });
        this.say({ kind: "hello" });
        void this.campaign(name);
    }
    get isIdle() {
        return this.listeners.size === 0;
    }
    add(listener) {
        this.listeners.add(listener);
        listener(this.state.dashboard, this.state.status);
    }
    remove(listener) {
        this.listeners.delete(listener);
    }
    close() {
        this.leaving.abort();
        this.reader?.close();
        this.channel.close();
    }
    /** Lead as soon as nobody else does, until this tab is closed or nobody listens here any more. */
    async campaign(name) {
        // Browsers have locks only where the page came over a secure connection: elsewhere each tab reads for itself.
        const locks = navigator.locks;
        if (locks === undefined) {
            this.lead();
            return;
        }
        const { signal } = this.leaving;
        try {
            await locks.request(name, { signal }, async () => {
                this.lead();
                await aborted(signal);
            });
        }
        catch (error) {
            if (!signal.aborted) {
                throw error;
            }
        }
    }
    lead() {
        if (this.leaving.signal.aborted) {
            return;
        }
        this.reader = new Reader(this.userId, (state) => {
            this.show(state);
            this.say({ kind: "state", state });
        });
        this.reader.open();
    }
    hear(said) {
        if (said.kind === "hello") {
            this.reader?.again();
        }
        else if (this.reader === null) {
            this.show(said.state);
        }
    }
    show(state) {
        this.state = state;
        for (const listener of this.listeners) {
            listener(state.dashboard, state.status);
        }
    }
    say(said) {
        this.channel.postMessage(said);
    }
}
function aborted(signal) {
    return new Promise((resolve) => {
        if (signal.aborted) {
            resolve();
        }
        signal.addEventListener("abort", () => {
            resolve();
        });
    });
}
