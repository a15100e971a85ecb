import { DEFAULT_SERVICE } from '../../sdk/contract/app-manifest/label.ts';

const PLACE = '{id}';

/** URLs of apps, services and versions, from a template such as http://{id}.localhost:8080/. */
export class AppUrls {
  readonly #template: () => string;

  /** `template` is asked each time: the router's port may be known only after it listens. */
  constructor(template: () => string) {
    this.#template = template;
  }

  get template(): string {
    return this.#template();
  }

  service(appId: string, service: string): string {
    return this.#fill(service === DEFAULT_SERVICE ? appId : `${service}-dot-${appId}`);
  }

  version(appId: string, service: string, version: string): string {
    return this.#fill(`${version}-dot-${service}-dot-${appId}`);
  }

  #fill(label: string): string {
    return this.#template().replaceAll(PLACE, label);
  }
}
