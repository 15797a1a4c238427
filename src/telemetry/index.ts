export * from './histogram.ts'
