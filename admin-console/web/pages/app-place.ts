import { useParams } from 'react-router';
import { apiPath } from '../api/api-client.ts';

/** The app that the address names, and where its part of the admin API begins. */
export function useAppPlace(): { readonly appId: string; readonly base: string } {
  const { app = '' } = useParams();
  return { appId: app, base: apiPath`/apps/${app}` };
}
