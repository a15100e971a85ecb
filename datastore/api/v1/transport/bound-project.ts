// The one project that a caller reaches who is bound to an app, such as the bearer of one of its tokens. Pure.
// What is refused says nothing about whether there is such an app.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { checkProjectId, type V1Identity } from './identity.ts';

export function boundProject(appId: string): V1Identity['appOf'] {
  return (projectId) => {
    if (projectId === appId) return appId;
    if (projectId === '') checkProjectId(projectId);
    const asked = JSON.stringify(projectId.slice(0, LIMITS.projectIdCharactersMax));
    throw new PlatformError(
      'V1_PROJECT_FORBIDDEN',
      `this token is bound to the project "${appId}", and the request is for ${asked}. Name "${appId}" as the client's project, ` +
        'or use a token of the other one (appengine datastore tokens create --app ID)',
    );
  };
}
