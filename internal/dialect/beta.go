package dialect

import "strings"

// knownBeta are the values of anthropic-beta that change how a message is made
// and nothing else. What keeps content at the provider (files, skills, containers,
// batches, agents, memory), calls out from there (MCP), lets other models answer
// (fallbacks, advisor) or raises a model's limits above those that are held for
// (output-128k, context-1m) is not among them. From the beta list of Anthropic's SDK 1.12
// and what Claude Code 2.1 sends.
var knownBeta = map[string]bool{
	"advanced-tool-use-2025-11-20":                true,
	"cache-diagnosis-2026-04-07":                  true,
	"claude-code-20250219":                        true,
	"compact-2026-01-12":                          true,
	"compact-2026-09-04":                          true,
	"computer-use-2024-10-22":                     true,
	"computer-use-2025-01-24":                     true,
	"computer-use-2025-11-24":                     true,
	"context-management-2025-06-27":               true,
	"dev-full-thinking-2025-05-14":                true,
	"effort-2025-11-24":                           true,
	"extended-cache-ttl-2025-04-11":               true,
	"fast-mode-2026-02-01":                        true,
	"fine-grained-tool-streaming-2025-05-14":      true,
	"inline-tools-2026-09-15":                     true,
	"interleaved-thinking-2025-05-14":             true,
	"mid-conversation-output-config-2026-07-01":   true,
	"mid-conversation-system-clear-at-2026-08-21": true,
	"mid-conversation-tool-changes-2026-07-01":    true,
	"model-context-window-exceeded-2025-08-26":    true,
	"pdfs-2024-09-25":                             true,
	"prompt-caching-2024-07-31":                   true,
	"prompt-caching-scope-2026-01-05":             true,
	"structured-outputs-2025-11-13":               true,
	"structured-outputs-2025-12-15":               true,
	"task-budgets-2026-03-13":                     true,
	"thinking-binding-controls-2026-08-01":        true,
	"thinking-display-updates-2026-08-18":         true,
	"thinking-token-count-2026-05-13":             true,
	"token-counting-2024-11-01":                   true,
	"token-efficient-tools-2025-02-19":            true,
	"tool-examples-2025-10-29":                    true,
	"tool-search-tool-2025-10-19":                 true,
	"web-fetch-2025-09-10":                        true,
	"web-search-2025-03-05":                       true,
}

// knownBetas keeps the known ones of a caller's anthropic-beta values.
func knownBetas(values []string) string {
	var kept []string
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); knownBeta[name] {
				kept = append(kept, name)
			}
		}
	}
	return strings.Join(kept, ",")
}
