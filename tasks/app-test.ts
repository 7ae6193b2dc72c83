/**
 * Chooses environment and certificate issuer of the example app: one line of clusters/home/app-example.yaml.
 * Usage: make app-test-{staging,prod}-le-{staging,prod} [DRY_RUN=1]
 */
import { appTest, switchMode } from './lib/modes.ts'
import { runTask } from './lib/task.ts'

await runTask(async () => switchMode(appTest, process.argv.slice(2)))
