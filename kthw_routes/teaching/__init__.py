"""Why it works: what the words of commands, routes and findings mean. Pure; it reads files of its own only."""
