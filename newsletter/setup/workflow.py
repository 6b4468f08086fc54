"""A GitHub Actions workflow that sends the newsletter without a server."""

WORKFLOW = r"""# Sends the newsletter from GitHub's machines. In a repository that holds this program:
#
#   newsletter init --github-actions > .github/workflows/newsletter.yml
#   gh secret set SETTINGS < newsletter.toml            # the relay's password in it, too
#   gh secret set SUBSCRIBERS < subscribers.yaml        # YAML or CSV; GitHub takes 48 KB, about 1,500 readers
#   openssl rand -base64 32 | gh secret set STATE_KEY
#
# Commit the workflow alone: newsletter.toml and subscribers.yaml stay on your disk and in the secrets. In a fork,
# switch the schedule on under Actions. Every hour it sends what is due, each reader at their own hour; started by hand
# it sends the newest issue now to whoever has not got it.
#
# Who got what has to survive, else readers would be mailed twice. A cache is dropped after a week without use, and an
# artifact after 90 days; of a public repository strangers may read either. So the database is kept encrypted with
# STATE_KEY on a branch of its own, newsletter-state, which nothing drops; each run replaces its one commit. Before it
# sends, a run marks that branch. One that dies before it has saved leaves the mark, and no later run sends until you
# say so. The mark keeps out a second run at the same time, too.

name: newsletter
on:
  schedule:
    - cron: "17 * * * *"
  workflow_dispatch:
    inputs:
      go_on:
        description: Go on although the last run saved nothing; who got its mail may get it again
        type: boolean
        default: false
permissions:
  contents: write
concurrency:
  group: newsletter
  cancel-in-progress: false
jobs:
  send:
    runs-on: ubuntu-latest
    timeout-minutes: 300
    env:
      STATE: refs/heads/newsletter-state
      CIPHER: -aes-256-cbc -pbkdf2 -iter 600000
      GIT_AUTHOR_NAME: newsletter
      GIT_AUTHOR_EMAIL: newsletter@example.org
      GIT_COMMITTER_NAME: newsletter
      GIT_COMMITTER_EMAIL: newsletter@example.org
      NEWSLETTER_SUBSCRIBERS: env:SUBSCRIBERS
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: python -m pip install --quiet --constraint constraints.txt .
      - name: Restore
        id: restore
        env:
          GO_ON: ${{ inputs.go_on }}
          STATE_KEY: ${{ secrets.STATE_KEY }}
        run: |
          set -euo pipefail
          umask 077
          stop() { echo "Sent 0: $1" | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"; exit 1; }
          [ -n "$STATE_KEY" ] || stop "the secret STATE_KEY is missing; the head of the workflow says how to set it"
          mkdir -p var .state
          found=0
          git ls-remote --exit-code origin "$STATE" > .state/ref || found=$?
          case $found in
            0) git fetch --quiet --depth 1 origin "$STATE"
               if git cat-file -e FETCH_HEAD:running 2> /dev/null && [ "$GO_ON" != true ]; then
                 run=$(git show FETCH_HEAD:running)
                 stop "run $run ended before it saved whom it mailed; read its log, then start by hand with go_on"
               fi
               if git show FETCH_HEAD:state > .state/sealed 2> /dev/null; then
                 { openssl enc -d $CIPHER -pass env:STATE_KEY -in .state/sealed -out .state/tar \
                   && tar -xf .state/tar; } 2> /dev/null \
                   || stop "the saved state does not open with this STATE_KEY; set the one of before"
               fi ;;
            2) ;; # no such branch: the first run
            *) stop "the saved state could not be asked for; run again" ;;
          esac
          # The mark beside what was saved before. The lease refuses it where another run was quicker.
          running=$(echo "${GITHUB_RUN_ID:-by hand}" | git hash-object -w --stdin)
          { printf '100644 blob %s\trunning\n' "$running"
            [ "$found" = 2 ] || git ls-tree FETCH_HEAD state; } > .state/tree
          mark=$(git commit-tree -m "A run is at it" "$(git mktree < .state/tree)")
          git push --quiet --force-with-lease="$STATE:$(cut -f 1 .state/ref)" origin "$mark:$STATE" \
            || stop "another run is at it"
          echo "$mark" > .state/mark
      - name: Send
        env:
          SETTINGS: ${{ secrets.SETTINGS }}
          SUBSCRIBERS: ${{ secrets.SUBSCRIBERS }}
        run: |
          set -euo pipefail
          umask 077
          [ -z "$SETTINGS" ] || printf '%s\n' "$SETTINGS" > newsletter.toml
          due=--due
          [ "${GITHUB_EVENT_NAME:-workflow_dispatch}" = schedule ] || due=
          newsletter send --brief $due | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
      - name: Save
        if: ${{ always() && steps.restore.outcome == 'success' }}
        env:
          STATE_KEY: ${{ secrets.STATE_KEY }}
        run: |
          set -euo pipefail
          umask 077
          tar -cf - var | openssl enc $CIPHER -pass env:STATE_KEY -out .state/sealed
          sealed=$(git hash-object -w .state/sealed)
          tree=$(printf '100644 blob %s\tstate\n' "$sealed" | git mktree)
          saved=$(git commit-tree -m "After run ${GITHUB_RUN_ID:-by hand}" "$tree")
          git push --quiet --force-with-lease="$STATE:$(cat .state/mark)" origin "$saved:$STATE"
"""
