import './styles';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './app/query';
import { router } from './app/router';
import { nonce } from './app/nonce';
import { theme } from './app/theme';
import { ConfirmProvider } from './ui/confirm';
import { ClockProvider } from './ui/time';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={nonce}>
        <QueryClientProvider client={queries}>
          <ClockProvider>
            <Notifications position="bottom-right" />
            <ConfirmProvider>
              <RouterProvider router={router} />
            </ConfirmProvider>
          </ClockProvider>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
