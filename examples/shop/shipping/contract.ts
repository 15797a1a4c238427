import { event } from 'groundswell'
import { z } from 'zod'

export const ShipmentDispatched = event(
  'shipment.dispatched',
  1,
  z.object({ orderId: z.string(), userId: z.int(), trackingNumber: z.string() }),
  { key: (shipment) => shipment.userId },
)
