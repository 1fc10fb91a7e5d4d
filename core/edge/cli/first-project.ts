/** What `sluice init` writes, by path below the project's folder. */
export const FIRST_PROJECT: Readonly<Record<string, string>> = {
  "sluice.yaml": `# Where records come from and where they go. Flows name these connections.
dataDir: .sluice # checkpoints, run history and the buffer; keep it out of git

connections:
  salesforce:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}" # https://your-domain.my.salesforce.com
    # An external client app of your org with the client credentials flow switched on and a run-as user.
    # Other ways to sign in: jwt, refreshToken, accessToken.
    auth:
      type: clientCredentials
      clientId: "\${env:SF_CLIENT_ID}"
      clientSecret: "\${env:SF_CLIENT_SECRET}"

  lake:
    connector: folder
    path: landed # a folder beside this file; the connectors s3 and duckdb take the same flows elsewhere
`,
  "flows/first-flow.yaml": `# Accounts as Parquet files. The first run reads them all, each later run what changed since.
name: first-flow
description: Accounts of our Salesforce org, for anything that reads Parquet

source:
  connection: salesforce
  stream: Account # \`sluice discover salesforce\` lists the others, \`sluice discover salesforce Account\` its fields
  # start: 2024-01-01T00:00:00Z # leave out what did not change since

# Only some of the records? All conditions must hold, on fields of the source.
# filter:
#   - { field: Type, in: [Customer - Direct, Customer - Channel] }

map: # left out: every field under its own name
  - { from: Id, to: account_id }
  - { from: Name, to: name }
  - { from: Industry, to: industry }
  - { from: AnnualRevenue, to: annual_revenue }
  - { from: NumberOfEmployees, to: employees }
  - { from: BillingCountry, to: country }
  - { from: Owner.Name, to: owner }
  - { from: CreatedDate, to: created_at }
  - { from: SystemModstamp, to: changed_at }

validate: # a record that breaks a rule waits in the dead letters: \`sluice dead-letters list\`
  - { field: name, rule: notNull, onFail: deadLetter }
  - { field: employees, rule: notNegative, onFail: deadLetter }

errors: { maxRejected: 1%, onReject: deadLetter } # more than that and the run fails, with everything else loaded

sinks:
  - connection: lake
    path: salesforce/accounts
    format: parquet
    compression: zstd
`,
};

/** Environment variables of the first project, with what belongs in them. */
export const FIRST_VARIABLES: Readonly<Record<string, string>> = {
  SF_URL: "https://your-domain.my.salesforce.com",
  SF_CLIENT_ID: "consumer key of the external client app",
  SF_CLIENT_SECRET: "its consumer secret",
};
