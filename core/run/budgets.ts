import type { ReadPlan, RequestBudget, Source, SourceConnector, Store } from "../contracts/index.js";
import type { Connectors, Project } from "../flow/types.js";
import {
  type BudgetForecast,
  type BudgetView,
  createBudget,
  forecastBudget,
  ledgerKey,
  viewBudget,
} from "../http/index.js";
import { isAlive } from "./lease.js";
import type { RunHost } from "./types.js";

/** How the limits of a connection's account stand. */
export interface ConnectionBudget {
  readonly connection: string;
  readonly buckets: readonly BudgetView[];
}

/**
 * The host with sources that keep within the limits of their accounts, together with all that use them on this data
 * directory. What is left of a grant goes back when the source is closed.
 */
export function withBudgets(host: RunHost): RunHost {
  const sources = new Map(
    [...host.connectors.sources].map(([name, connector]) => [name, budgeted(host, connector)]),
  );
  return { ...host, connectors: { ...host.connectors, sources } };
}

function budgeted(host: RunHost, connector: SourceConnector): SourceConnector {
  const { buckets } = connector.spec;
  if (buckets === undefined) return connector;
  const { environment, clock, random, log, project } = host;
  return {
    ...connector,
    connect: (config, context) => {
      const { connection } = context;
      const reserve = reserveOf(project, connection);
      const budget = createBudget({
        connection,
        environment,
        clock,
        random,
        log,
        isAlive,
        buckets,
        reserve,
      });
      return closing(connector.connect(config, { ...context, budget }), budget);
    },
  };
}

/** The source itself, so that it keeps whatever optional parts it has; its `close` closes the budget behind it. */
function closing(source: Source, budget: RequestBudget): Source {
  const close = source.close.bind(source);
  source.close = async () => {
    try {
      await close();
    } finally {
      await budget.close();
    }
  };
  return source;
}

function reserveOf(project: Project, connection: string): number {
  return project.connections.get(connection)?.budget?.reserve ?? 0;
}

/** How the budgets of all connections stand that have limits. `store` undefined: nothing has ever run. */
export function connectionBudgets(
  project: Project,
  connectors: Connectors,
  store: Pick<Store, "get"> | undefined,
  now: number,
): ConnectionBudget[] {
  return [...project.connections.keys()].sort().flatMap((connection) => {
    const buckets = bucketViews(project, connectors, store, connection, now);
    return buckets.length === 0 ? [] : [{ connection, buckets }];
  });
}

function bucketViews(
  project: Project,
  connectors: Connectors,
  store: Pick<Store, "get"> | undefined,
  connection: string,
  now: number,
): BudgetView[] {
  const connector = connectors.sources.get(project.connections.get(connection)?.connector ?? "");
  const reserve = reserveOf(project, connection);
  return (connector?.spec.buckets ?? []).map((spec) =>
    viewBudget({ spec, reserve }, store?.get(ledgerKey(connection, spec.name)), now, isAlive),
  );
}

/** What the calls of a plan will meet in the budget of its connection; none where the source cannot say how many they are. */
export function forecastCalls(host: RunHost, connection: string, plan: ReadPlan): BudgetForecast[] {
  const { project, connectors, environment, clock } = host;
  const now = clock.now();
  return bucketViews(project, connectors, environment.store, connection, now).flatMap((view, index) => {
    const calls = plan.calls === undefined ? (index === 0 ? plan.apiCalls : 0) : plan.calls[view.bucket];
    return calls ? [forecastBudget(view, calls, now)] : [];
  });
}
