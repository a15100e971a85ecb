// One page of a GQL statement's answer.
import { Button, Group, Text, UnstyledButton } from '@mantine/core';
import { IconDatabase } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactElement, useState } from 'react';
import { type EntityView, type GqlAnswerView, type GqlRequestView, type JsonValue } from '../../../sdk/contract/admin/data.ts';
import { type ApiFailure } from '../api/api-client.ts';
import { useApi } from '../api/resource.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { DetailList } from '../parts/detail-list.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Panel } from '../parts/panel.tsx';
import { valueText } from '../text/entity-value.ts';
import { countText } from '../text/number-text.ts';

const COLUMNS_MAX = 12;

interface QueryResultsProps {
  readonly base: string;
  readonly request: GqlRequestView;
  readonly onOpen: (entity: EntityView) => void;
}

function Plan({ plan }: { readonly plan: NonNullable<GqlAnswerView['plan']> }): ReactElement {
  return (
    <Panel title="How it was answered">
      <ol className="plan mono">
        {plan.scans.map((scan) => (
          <li key={scan}>{scan}</li>
        ))}
      </ol>
      <Text size="sm" c="dimmed">
        {countText(plan.indexRowsRead)} index rows and {countText(plan.entitiesRead)} entities read.
      </Text>
    </Panel>
  );
}

const isNumeric = (value: JsonValue | undefined): boolean => value?.integerValue !== undefined || value?.doubleValue !== undefined;

function columnsOf(entities: readonly EntityView[], onOpen: (entity: EntityView) => void): Column<EntityView>[] {
  const names = [...new Set(entities.flatMap(({ properties }) => Object.keys(properties)))].slice(0, COLUMNS_MAX);
  return [
    {
      title: 'Key',
      isHeader: true,
      cell: (entity) => (
        <UnstyledButton
          className="text-link mono value-cell"
          title={entity.name}
          onClick={() => onOpen(entity)}
          aria-label={`Edit ${entity.name}`}
        >
          {entity.name}
        </UnstyledButton>
      ),
    },
    ...names.map((name): Column<EntityView> => {
      const isNumber = entities.every(({ properties }) => properties[name] === undefined || isNumeric(properties[name]));
      return {
        title: name,
        isNumber,
        cell: ({ properties }) => {
          const value = properties[name];
          return value === undefined ? <span className="absent">–</span> : <span className="value-cell">{valueText(value)}</span>;
        },
      };
    }),
  ];
}

export function QueryResults({ base, request, onOpen }: QueryResultsProps): ReactElement {
  const api = useApi();
  // Where each page began: the last one is shown.
  const [cursors, setCursors] = useState<readonly (string | undefined)[]>([undefined]);
  const cursor = cursors.at(-1);
  const path = `${base}/datastore/query`;
  const answer = useQuery<GqlAnswerView, ApiFailure>({
    queryKey: ['api', path, request, cursor],
    queryFn: () => api.send<GqlAnswerView>('POST', path, { ...request, ...(cursor === undefined ? {} : { cursor }) }),
    staleTime: Infinity,
  });
  const { data, error } = answer;
  if (error !== null) return <FailureAlert failure={error} onRetry={() => void answer.refetch()} />;
  if (data?.kind === 'aggregation') {
    return (
      <>
        <Panel title="Result">
          <DetailList details={Object.entries(data.values ?? {}).map(([name, value]) => [name, <b key={name}>{valueText(value)}</b>])} />
        </Panel>
        {data.plan !== undefined && <Plan plan={data.plan} />}
      </>
    );
  }
  return (
    <>
      <Panel
        isFlush
        title="Results"
        description={data === undefined ? 'Reading …' : `${countText(data.entities.length)} on page ${cursors.length}`}
        actions={
          <Group gap="xs">
            <Button size="xs" variant="default" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>
              Previous page
            </Button>
            <Button
              size="xs"
              variant="default"
              disabled={data?.cursor === undefined}
              onClick={() => setCursors([...cursors, data?.cursor])}
            >
              Next page
            </Button>
          </Group>
        }
      >
        {data?.entities.length === 0 ? (
          <NothingYet icon={<IconDatabase />} title="No entity fits">
            The statement is right, and nothing in this namespace fits it.
          </NothingYet>
        ) : (
          <div className="results">
            <DataTable label="Results" rows={data?.entities} keyOf={({ id }) => id} columns={columnsOf(data?.entities ?? [], onOpen)} />
          </div>
        )}
      </Panel>
      {data?.plan !== undefined && <Plan plan={data.plan} />}
    </>
  );
}
