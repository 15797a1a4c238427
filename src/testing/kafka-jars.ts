import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findExecutable } from './executable-fixture.ts'

/** Of the broker that tests and `groundswell kafka` start. */
const KAFKA_VERSION = '4.1.1'

/** From this major version on Java runs Kafka 4. */
const JAVA_MAJOR_MIN = 17

/** Maven fetches some forty files the first time. */
const RESOLVE_MS_MAX = 180_000

const run = promisify(execFile)

/** What it takes to run Apache Kafka here, or why that is not possible and how a person changes it. */
export type KafkaInstallation =
  | { readonly java: string; readonly classpath: string; readonly missing?: never }
  | { readonly missing: string }

/**
 * Finds Java, and Kafka's jars: in the cache of the user, else resolved by Maven into it. Once per process; several
 * processes may do it at the same time.
 */
export function findKafka(): Promise<KafkaInstallation> {
  found ??= find()
  return found
}

let found: Promise<KafkaInstallation> | undefined

async function find(): Promise<KafkaInstallation> {
  const java = findExecutable('java')
  const how = 'e.g. apt-get install openjdk-17-jre-headless maven, or brew install openjdk maven'
  if (java === undefined) return { missing: `no Java on the PATH, which Kafka needs: install it, ${how}` }
  const major = await javaMajor(java)
  if (major < JAVA_MAJOR_MIN) return { missing: `Java ${major} is too old for Kafka, which needs 17: ${how}` }
  const folder = join(homedir(), '.cache', 'groundswell', `kafka-${KAFKA_VERSION}`)
  if (!(await exists(folder))) {
    const maven = findExecutable('mvn')
    if (maven === undefined) return { missing: `no Maven on the PATH, which fetches Kafka once: install it, ${how}` }
    const problem = await resolveJars(maven, folder)
    if (problem !== undefined) return { missing: `Maven could not fetch Kafka ${KAFKA_VERSION}: ${problem}` }
  }
  return { java, classpath: join(folder, '*') }
}

async function javaMajor(java: string): Promise<number> {
  const { stderr } = await run(java, ['-version'])
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}

/** Into a folder beside, which is then renamed: a folder of that name is always whole. */
async function resolveJars(maven: string, folder: string): Promise<string | undefined> {
  await mkdir(join(folder, '..'), { recursive: true })
  const work = await mkdtemp(`${folder}-`)
  try {
    await writeFile(join(work, 'pom.xml'), POM)
    const jars = join(work, 'lib')
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`]
    await run(maven, ['--quiet', '--batch-mode', '--strict-checksums', ...goal], { cwd: work, timeout: RESOLVE_MS_MAX })
    await rename(jars, folder)
    return undefined
  } catch (error) {
    // Another process may have been faster.
    if (await exists(folder)) return undefined
    return error instanceof Error ? error.message.slice(0, 500) : String(error)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The broker and all it needs at run time, and something that writes its log. */
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>groundswell</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.1</version>
    </dependency>
  </dependencies>
</project>
`
