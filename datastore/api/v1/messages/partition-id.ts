// PartitionId of query requests, and what it comes to beside the project and database of the request.
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { checkPartition } from '../../../codec/key-check.ts';
import { type PartitionName } from '../../../reads.ts';
import { invalid, unknownField } from './request-fields.ts';

export interface PartitionId {
  readonly projectId: string;
  readonly databaseId: string;
  readonly namespace: string;
}

const DEFAULT: PartitionId = { projectId: '', databaseId: '', namespace: '' };

export function readPartitionId(bytes: Buffer | undefined): PartitionId {
  if (!bytes) return DEFAULT;
  const reader = new ProtoReader(bytes);
  let { projectId, databaseId, namespace } = DEFAULT;
  while (reader.next()) {
    if (reader.field === 2) projectId = reader.string();
    else if (reader.field === 3) databaseId = reader.string();
    else if (reader.field === 4) namespace = reader.string();
    else throw unknownField('PartitionId', reader.field);
  }
  return { projectId, databaseId, namespace };
}

/** What is left out is the request's. Throws DS_INVALID for another project or database. */
export function partitionWithin(request: Omit<PartitionId, 'namespace'>, { projectId, databaseId, namespace }: PartitionId): PartitionName {
  const isOfProject = projectId === '' || projectId === request.projectId;
  const isOfDatabase = databaseId === '' || databaseId === request.databaseId;
  if (!isOfProject || !isOfDatabase) {
    const named = { projectId: projectId || request.projectId, databaseId: databaseId || request.databaseId };
    throw invalid(`mismatched databases within request: ${describe(request)} vs. ${describe(named)}`);
  }
  checkPartition(request.databaseId, namespace);
  return { databaseId: request.databaseId, namespace };
}

function describe({ projectId, databaseId }: Omit<PartitionId, 'namespace'>): string {
  return databaseId === '' ? projectId : `${projectId}/${databaseId}`;
}
