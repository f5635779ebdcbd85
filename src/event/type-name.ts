// The dotted names of the 72 event types (FORMATS.md section 1): what people type and read.

import * as layout from '../../layout/event-type.ts';

/** name -> code. */
export const EVENT_TYPE_CODES = {
  'fs.create': layout.EVENT_FS_CREATE,
  'fs.delete': layout.EVENT_FS_DELETE,
  'fs.read': layout.EVENT_FS_READ,
  'fs.write': layout.EVENT_FS_WRITE,
  'fs.rename': layout.EVENT_FS_RENAME,
  'fs.chmod': layout.EVENT_FS_CHMOD,
  'fs.chown': layout.EVENT_FS_CHOWN,
  'fs.truncate': layout.EVENT_FS_TRUNCATE,
  'fs.mkdir': layout.EVENT_FS_MKDIR,
  'fs.rmdir': layout.EVENT_FS_RMDIR,
  'fs.symlink': layout.EVENT_FS_SYMLINK,
  'fs.hardlink': layout.EVENT_FS_HARDLINK,
  'graph.node_create': layout.EVENT_GRAPH_NODE_CREATE,
  'graph.node_delete': layout.EVENT_GRAPH_NODE_DELETE,
  'graph.node_update': layout.EVENT_GRAPH_NODE_UPDATE,
  'graph.edge_create': layout.EVENT_GRAPH_EDGE_CREATE,
  'graph.edge_delete': layout.EVENT_GRAPH_EDGE_DELETE,
  'graph.edge_update': layout.EVENT_GRAPH_EDGE_UPDATE,
  'graph.property_set': layout.EVENT_GRAPH_PROPERTY_SET,
  'graph.property_delete': layout.EVENT_GRAPH_PROPERTY_DELETE,
  'graph.traverse': layout.EVENT_GRAPH_TRAVERSE,
  'graph.query': layout.EVENT_GRAPH_QUERY,
  'vector.create': layout.EVENT_VECTOR_CREATE,
  'vector.delete': layout.EVENT_VECTOR_DELETE,
  'vector.update': layout.EVENT_VECTOR_UPDATE,
  'vector.search': layout.EVENT_VECTOR_SEARCH,
  'vector.index': layout.EVENT_VECTOR_INDEX,
  'vector.similarity': layout.EVENT_VECTOR_SIMILARITY,
  'vector.cluster': layout.EVENT_VECTOR_CLUSTER,
  'vector.embed': layout.EVENT_VECTOR_EMBED,
  'agent.query': layout.EVENT_AGENT_QUERY,
  'agent.reasoning': layout.EVENT_AGENT_REASONING,
  'agent.decision': layout.EVENT_AGENT_DECISION,
  'agent.orchestration': layout.EVENT_AGENT_ORCHESTRATION,
  'agent.learning': layout.EVENT_AGENT_LEARNING,
  'agent.interaction': layout.EVENT_AGENT_INTERACTION,
  'system.mount': layout.EVENT_SYSTEM_MOUNT,
  'system.unmount': layout.EVENT_SYSTEM_UNMOUNT,
  'system.sync': layout.EVENT_SYSTEM_SYNC,
  'system.checkpoint': layout.EVENT_SYSTEM_CHECKPOINT,
  'system.recovery': layout.EVENT_SYSTEM_RECOVERY,
  'system.optimization': layout.EVENT_SYSTEM_OPTIMIZATION,
  'semantic.transaction_begin': layout.EVENT_SEMANTIC_TRANSACTION_BEGIN,
  'semantic.transaction_end': layout.EVENT_SEMANTIC_TRANSACTION_END,
  'semantic.causality_link': layout.EVENT_SEMANTIC_CAUSALITY_LINK,
  'semantic.intent_capture': layout.EVENT_SEMANTIC_INTENT_CAPTURE,
  'semantic.context_switch': layout.EVENT_SEMANTIC_CONTEXT_SWITCH,
  'semantic.link': layout.EVENT_SEMANTIC_LINK,
  'access.open': layout.EVENT_ACCESS_OPEN,
  'access.close': layout.EVENT_ACCESS_CLOSE,
  'access.lookup': layout.EVENT_ACCESS_LOOKUP,
  'access.getattr': layout.EVENT_ACCESS_GETATTR,
  'access.setattr': layout.EVENT_ACCESS_SETATTR,
  'access.readdir': layout.EVENT_ACCESS_READDIR,
  'access.readlink': layout.EVENT_ACCESS_READLINK,
  'access.flush': layout.EVENT_ACCESS_FLUSH,
  'access.fsync': layout.EVENT_ACCESS_FSYNC,
  'access.setxattr': layout.EVENT_ACCESS_SETXATTR,
  'access.getxattr': layout.EVENT_ACCESS_GETXATTR,
  'access.fallocate': layout.EVENT_ACCESS_FALLOCATE,
  'observability.metric_collected': layout.EVENT_OBSERVABILITY_METRIC_COLLECTED,
  'observability.log_generated': layout.EVENT_OBSERVABILITY_LOG_GENERATED,
  'observability.trace_span_start': layout.EVENT_OBSERVABILITY_TRACE_SPAN_START,
  'observability.trace_span_end': layout.EVENT_OBSERVABILITY_TRACE_SPAN_END,
  'observability.alert_triggered': layout.EVENT_OBSERVABILITY_ALERT_TRIGGERED,
  'observability.health_check': layout.EVENT_OBSERVABILITY_HEALTH_CHECK,
  'observability.performance_counter': layout.EVENT_OBSERVABILITY_PERFORMANCE_COUNTER,
  'observability.error_reported': layout.EVENT_OBSERVABILITY_ERROR_REPORTED,
  'observability.audit_event': layout.EVENT_OBSERVABILITY_AUDIT_EVENT,
  'observability.system_status': layout.EVENT_OBSERVABILITY_SYSTEM_STATUS,
  'observability.resource_usage': layout.EVENT_OBSERVABILITY_RESOURCE_USAGE,
  'observability.threshold': layout.EVENT_OBSERVABILITY_THRESHOLD,
} as const;

export type EventTypeName = keyof typeof EVENT_TYPE_CODES;

/** Every name, in code order. */
export const EVENT_TYPE_NAMES = Object.keys(EVENT_TYPE_CODES) as EventTypeName[];

const namesByCode = new Map<number, EventTypeName>(EVENT_TYPE_NAMES.map((name) => [EVENT_TYPE_CODES[name], name]));

/** undefined for a code that is none of the 72. */
export function eventTypeName(code: number): EventTypeName | undefined {
  return namesByCode.get(code);
}
