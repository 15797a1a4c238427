import { app, journey, timeOfId } from 'groundswell'
import { catalog } from './catalog/service.ts'
import { emailService } from './email/service.ts'
import { inventory } from './inventory/service.ts'
import { orders } from './orders/service.ts'
import { paymentService } from './payments/service.ts'
import { simulatedProvider } from './payments/simulated-provider.ts'
import { profiles } from './profiles/service.ts'
import { ShipmentDispatched } from './shipping/contract.ts'
import { shipping } from './shipping/service.ts'
import { users } from './users/service.ts'

/** A shop for flash sales: everything it is, in one value. Where it runs is not in here. */
export default app('shop', {
  services: [
    users,
    profiles,
    catalog,
    orders,
    paymentService(simulatedProvider),
    inventory,
    emailService({ smtpUrl: process.env.SMTP_URL || undefined }),
    shipping,
  ],
  journeys: [
    journey('order placed to shipped', {
      endsWith: ShipmentDispatched,
      startedAtMs: ({ orderId }) => timeOfId(orderId),
    }),
  ],
  gateway: {
    consumers: ['storefront', 'operator'],
    example: {
      method: 'POST',
      path: '/orders',
      body: { userId: 1, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' },
    },
  },
})
