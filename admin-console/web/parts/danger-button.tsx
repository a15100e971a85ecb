import { Button, type ButtonProps } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { type Confirmation, confirmFirst } from './confirmation.tsx';

interface DangerButtonProps extends Pick<ButtonProps, 'size' | 'disabled'> {
  readonly children: string;
  readonly asks: Confirmation;
}

/** Removes something, after asking. */
export function DangerButton({ children, asks, ...props }: DangerButtonProps): ReactElement {
  return (
    <Button
      {...props}
      variant="default"
      className="danger"
      leftSection={<IconTrash size={15} aria-hidden />}
      onClick={() => {
        confirmFirst(asks);
      }}
    >
      {children}
    </Button>
  );
}
