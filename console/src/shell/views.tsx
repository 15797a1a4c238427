import type { ReactNode } from 'react'
import { EventsView } from '../events/events-view.tsx'
import { GatewayView } from '../gateway/gateway-view.tsx'
import { AlertsView } from '../views/alerts.tsx'
import { InfrastructureView } from '../views/infrastructure.tsx'
import { OverviewView } from '../views/overview.tsx'
import { PagesView } from '../views/pages.tsx'
import { ServicesView } from '../views/services.tsx'
import { TracesView } from '../views/traces.tsx'

export type View = {
  readonly id: string
  readonly label: string
  /** Pressed after `g`. */
  readonly key: string
  readonly render: () => ReactNode
}

export const VIEWS: readonly View[] = [
  { id: 'overview', label: 'Overview', key: 'o', render: () => <OverviewView /> },
  { id: 'services', label: 'Services', key: 's', render: () => <ServicesView /> },
  { id: 'gateway', label: 'Gateway', key: 'w', render: () => <GatewayView /> },
  { id: 'events', label: 'Events', key: 'e', render: () => <EventsView /> },
  { id: 'infrastructure', label: 'Infrastructure', key: 'i', render: () => <InfrastructureView /> },
  { id: 'traces', label: 'Traces', key: 't', render: () => <TracesView /> },
  { id: 'alerts', label: 'Alerts', key: 'a', render: () => <AlertsView /> },
  { id: 'mailbox', label: 'Mailbox', key: 'm', render: () => <PagesView /> },
]
