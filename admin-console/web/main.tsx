// The console's single-page app: what a browser shows of the admin API. It must not know the server beyond that API's types.
// Read next: app-routes.tsx (the pages), api/resource.tsx (how pages read and change things).
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './console.css';
import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { ApiClient } from './api/api-client.ts';
import { ApiContext, createQueryClient } from './api/resource.tsx';
import { PageRoutes } from './page-routes.tsx';
import { styleNonce } from './support/style-nonce.ts';
import { colourVariables, theme } from './theme.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('The page has no #root');

// The library that locks scrolling behind a dialog looks for the nonce here.
Object.assign(globalThis, { __webpack_nonce__: styleNonce() });

createRoot(root).render(
  <MantineProvider theme={theme} cssVariablesResolver={colourVariables} defaultColorScheme="auto" getStyleNonce={styleNonce}>
    <QueryClientProvider client={createQueryClient()}>
      <ApiContext value={new ApiClient()}>
        <BrowserRouter>
          <ModalsProvider>
            <Notifications position="bottom-right" autoClose={5_000} limit={4} />
            <PageRoutes />
          </ModalsProvider>
        </BrowserRouter>
      </ApiContext>
    </QueryClientProvider>
  </MantineProvider>,
);
