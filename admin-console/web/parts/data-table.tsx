import { Skeleton, Table } from '@mantine/core';
import { type ReactElement, type ReactNode } from 'react';
import { Scroller } from './scroller.tsx';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, their digits under each other. */
  readonly isNumber?: boolean;
  /** The title is read aloud, and not shown: for a column of buttons. */
  readonly hidesTitle?: boolean;
  /** Its cells name their rows. */
  readonly isHeader?: boolean;
}

interface DataTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  /** Undefined while they are on their way. */
  readonly rows: readonly Row[] | undefined;
  readonly keyOf: (row: Row) => string | number;
}

const SKELETON_ROWS = 4;

export function DataTable<Row>({ label, columns, rows, keyOf }: DataTableProps<Row>): ReactElement {
  return (
    <Scroller label={label}>
      <Table aria-label={label} aria-busy={rows === undefined} highlightOnHover verticalSpacing={8} horizontalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ title, isNumber, hidesTitle }) => (
              <Table.Th key={title} scope="col" className={isNumber === true ? 'number' : ''}>
                <span className={hidesTitle === true ? 'heard' : ''}>{title}</span>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows === undefined
            ? Array.from({ length: SKELETON_ROWS }, (_, index) => (
                <Table.Tr key={index}>
                  {columns.map(({ title }) => (
                    <Table.Td key={title}>
                      <Skeleton height={12} width="70%" />
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))
            : rows.map((row) => (
                <Table.Tr key={keyOf(row)}>
                  {columns.map(({ title, cell, isNumber, isHeader }) =>
                    isHeader === true ? (
                      <Table.Th key={title} scope="row">
                        {cell(row)}
                      </Table.Th>
                    ) : (
                      <Table.Td key={title} className={isNumber === true ? 'number' : ''}>
                        {cell(row)}
                      </Table.Td>
                    ),
                  )}
                </Table.Tr>
              ))}
        </Table.Tbody>
      </Table>
    </Scroller>
  );
}
