// What the router's front door holds open at the moment of asking.
import { gauge, type MetricFamily, type MetricSource } from './metric-family.ts';

export interface FrontDoor {
  readonly connectionsOpen: number;
  readonly requestsInFlight: number;
}

export class FrontMetrics implements MetricSource {
  readonly #door: () => FrontDoor | undefined;

  constructor(door: () => FrontDoor | undefined) {
    this.#door = door;
  }

  collect(): MetricFamily[] {
    const door = this.#door();
    if (!door) return [];
    return [
      gauge('appengine_router_connections', 'Connections of clients that are open.', [{ labels: {}, value: door.connectionsOpen }]),
      gauge('appengine_router_requests', 'Requests and WebSockets under way, static files among them.', [
        { labels: {}, value: door.requestsInFlight },
      ]),
    ];
  }
}
