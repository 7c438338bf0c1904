/** Owns the command `renew`: asks the agent that has each target's directory to renew now, as SIGHUP does. */
import { hostname } from 'node:os'
import { parseConfig, type Target } from '../config/config.ts'
import { AgentError, messageOf, systemCode } from '../core/errors.ts'
import { askForRenewal, proofOf, type RenewalAnswer } from '../sidecar/store/renewal-request.ts'
import { openSecretDir } from '../sidecar/store/secret-dir.ts'
import { exitCodes } from './exit.ts'

const texts: Readonly<Record<RenewalAnswer, string>> = {
  asked: 'renewal asked for; `status` shows what came of it',
  refused: 'the agent refused: what is published has just changed, or this user cannot read it. Try again',
  'too-soon': 'the agent was asked a moment ago; `status` shows what came of it. It may be asked again after 10 s',
  nobody: 'no agent runs for this directory. Start it: it renews by itself what is due',
  unanswered: 'the agent did not answer: it is too busy, or a version without this command. Send it SIGHUP',
}

export async function renew(): Promise<number> {
  const { targets, files } = parseConfig(process.env, hostname())
  let code: number = exitCodes.ok
  for (const target of targets) {
    const answer = await ask(target, files)
    const isAsked = answer === texts.asked
    const out = isAsked ? process.stdout : process.stderr
    out.write(`${target.component}: ${target.directory}: ${answer}\n`)
    if (!isAsked) code = exitCodes.unavailable
  }
  return code
}

async function ask({ directory }: Target, files: Parameters<typeof openSecretDir>[1]): Promise<string> {
  try {
    const proof = proofOf(openSecretDir(directory, files).current())
    return texts[await askForRenewal(directory, proof)]
  } catch (error) {
    if (error instanceof AgentError) return `${error.message}. ${error.advice}`
    if (systemCode(error) === '') throw error
    return `${messageOf(error)}. Run it as the user of the agent`
  }
}
