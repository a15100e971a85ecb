import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';

export interface Confirmation {
  readonly title: string;
  /** What will be, and whether it can be undone. */
  readonly text: string;
  /** The button's words: the verb and its object. */
  readonly verb: string;
  /** False for what can be undone as easily. */
  readonly isDanger?: boolean;
  readonly onConfirm: () => void;
}

/** Asks before something that many would notice or that cannot be undone. */
export function confirmFirst({ title, text, verb, isDanger = true, onConfirm }: Confirmation): void {
  modals.openConfirmModal({
    title,
    children: <Text size="sm">{text}</Text>,
    labels: { confirm: verb, cancel: 'Cancel' },
    confirmProps: isDanger ? { color: 'red' } : {},
    onConfirm,
  });
}
