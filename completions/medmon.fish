# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_medmon_global_optspecs
    string join \n o/output= q/quiet url= config= no-color lang= v/verbose yes h/help V/version
end

function __fish_medmon_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_medmon_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_medmon_using_subcommand
    set -l cmd (__fish_medmon_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c medmon -n "__fish_medmon_needs_command" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_needs_command" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_needs_command" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_needs_command" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_needs_command" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_needs_command" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_needs_command" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_needs_command" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_needs_command" -s V -l version -d 'Print version'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "demo" -d 'The whole system in one process: virtual patients, radio, modem, gateways, cloud'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "dashboard" -d 'The ward on one screen'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "login" -d 'Keep a token for a server'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "logout" -d 'Forget the token for a server'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "whoami" -d 'Who the server takes you for'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "patient" -d 'Patients'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "contact" -d 'Whom a patient\'s gateway texts, in order'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "limits" -d 'A patient\'s limits. Defaults need a clinician\'s sign-off before real use'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "vitals" -d 'A patient\'s figures'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "alert" -d 'Alerts'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "report" -d 'Reports of the care team'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "feeling" -d 'How a patient feels'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "outbox" -d 'Reports and feelings that wait for the server'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "gateway" -d 'Gateways'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "device" -d 'A patient\'s sensors'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "ward" -d 'Wards'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "token" -d 'Tokens (admin)'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "local" -d 'On a gateway: ask it through its Unix socket'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "doctor" -d 'Check configuration, server, token and terminal'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "config" -d 'The configuration'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "completions" -d 'Completions for a shell, on stdout'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "help" -d 'Help on a noun, a verb or `exit-codes`'
complete -c medmon -n "__fish_medmon_needs_command" -f -a "generate" -d 'Write completions/ and man/ from these definitions'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l patients -d 'Virtual patients' -r
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l seed -d 'The same seed, the same demo' -r
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l speed -d 'How many times faster than real time' -r
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l replay -d 'Recordings to play through the serial line instead of virtual patients' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l data -d 'Where to keep the data [else a temporary folder, removed at the end]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l for -d 'End after this much of the demo\'s time [with a dashboard: when you quit]' -r
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l broker -d 'What carries readings inside a gateway' -r -f -a "embedded\t'SQLite inside the gateway'
rabbitmq\t'RabbitMQ'"
complete -c medmon -n "__fish_medmon_using_subcommand demo" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l headless -d 'No dashboard, even on a terminal'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l ward -d 'This ward only' -r
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l read-only -d 'Nothing can be acknowledged, silenced or written from here'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l privacy -d 'No family names on the screen'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand dashboard" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand login" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand login" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand login" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand login" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand login" -l token-stdin -d 'Read the token from stdin'
complete -c medmon -n "__fish_medmon_using_subcommand login" -l insecure-storage -d 'Keep it in a file that only you can read'
complete -c medmon -n "__fish_medmon_using_subcommand login" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand login" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand login" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand login" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand logout" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand logout" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand logout" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand logout" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand logout" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand logout" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand logout" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand logout" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand whoami" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "list" -d 'Patients you may see, by name'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "show" -d 'One record'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "add" -d 'Open a record; prints the id'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "edit" -d 'Change a record'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "archive" -d 'Put a record away; the patient must not be bound'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "bind" -d 'Let a gateway speak for a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and not __fish_seen_subcommand_from list show add edit archive bind unbind" -f -a "unbind" -d 'End it'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l ward -d 'Of this ward only' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l archived -d 'Archived ones too'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l name -d 'As on the board: "DOE Jeanne"' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l birth-year -d 'The second identifier' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l nickname -d 'What texts call the patient: "Jeanne"' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l ward -d 'Ward [else yours, or the site\'s only one]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l language -d 'Language of texts: en, fr' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l time-zone -d 'IANA zone of the home [else yours]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l phone -d 'The patient\'s own phone, with country code: asked first after some falls' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l name -d 'As on the board' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l birth-year -d 'The second identifier' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l nickname -d 'What texts call the patient' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l ward -d 'Ward' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l language -d 'Language of texts: en, fr' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l time-zone -d 'IANA zone of the home' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l phone -d 'The patient\'s own phone, with country code; "" = none' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from archive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l gateway -d 'Id, unique prefix or name of the gateway' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from bind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand patient; and __fish_seen_subcommand_from unbind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -f -a "list" -d 'The ladder of a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -f -a "add" -d 'Add somebody to text'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -f -a "edit" -d 'Change somebody, or their place'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -f -a "test" -d 'Try out whether somebody is reached: the gateway texts them an exercise, and each step is shown; exit 8 when they have not answered in time'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and not __fish_seen_subcommand_from list add edit test remove" -f -a "remove" -d 'Text somebody no more'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l name -d 'As texted: "Paul"' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l phone -d 'With country code: +33612345678' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l relation -d 'Such as "son"' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l language -d 'Language of texts: en, fr' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l position -d 'Place in the ladder, from 1 [else last]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l patient -d 'Id, unique prefix, or beginning of the patient\'s name' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l name -d 'As texted' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l phone -d 'With country code' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l relation -d 'Such as "son"' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l language -d 'Language of texts: en, fr' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l position -d 'Place in the ladder, from 1' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l patient -d 'Id, unique prefix, or beginning of the patient\'s name' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l for -d 'For how long at most' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l patient -d 'Id, unique prefix, or beginning of the patient\'s name' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand contact; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -f -a "show" -d 'All limits of a patient'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and not __fish_seen_subcommand_from show set" -f -a "set" -d 'Change limits, all given or none'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand limits; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -f -a "show" -d 'One vital over a span; holes are never bridged'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -f -a "latest" -d 'The newest value of each vital'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -f -a "totals" -d 'What one vital amounted to over a span, for each patient of a ward'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and not __fish_seen_subcommand_from show latest totals erase" -f -a "erase" -d 'Erase all vitals of a patient for good; they must not be bound to a gateway'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l patient -d 'Id, unique prefix, or beginning of the name [else your own record]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l vital -d 'heart_rate, temperature, glucose, activity …' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l since -d 'From: "2h", "2h ago", "2026-03-01", "2026-03-01T08:00:00Z"' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l until -d 'To, likewise; absent = now' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l step -d 'One point per so much time [else as the gateway sealed them]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l plot -d 'A chart instead of rows'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l patient -d 'Id, unique prefix, or beginning of the name [else your own record]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from latest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l vital -d 'heart_rate, temperature, glucose, activity …' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l ward -d 'Id, unique prefix or name [else all that you may see]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l since -d 'From: "2h", "2h ago", "2026-03-01", "2026-03-01T08:00:00Z"' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l until -d 'To, likewise; absent = now' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from totals" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand vitals; and __fish_seen_subcommand_from erase" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -f -a "list" -d 'Alerts, newest first'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -f -a "show" -d 'One alert with all that happened'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -f -a "ack" -d 'The ward takes care of it'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -f -a "wait" -d 'Wait until it is over; exit 8 when that takes too long'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and not __fish_seen_subcommand_from list show ack wait silence" -f -a "silence" -d 'No paging for it for a time'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l ward -d 'Of this ward only' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l patient -d 'Of this patient only' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l priority -d 'high, medium or low only' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l since -d 'From: "2h", "2h ago", "2026-03-01", "2026-03-01T08:00:00Z"' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l until -d 'To, likewise; absent = now' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l open -d 'Only those that are not both over and acknowledged'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l segment -d 'The raw readings around it instead: a line per sensor on a terminal, rows in a pipe, -o wide or csv'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l reason -d 'Why or how' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l for -d 'For how long at most' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l acked -d 'Until the ward takes care of it, instead'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l for -d 'For how long, 1 min to 24 h' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l reason -d 'Why' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand alert; and __fish_seen_subcommand_from silence" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -f -a "add" -d 'Add a report; prints the id. Kept here while the server does not answer'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -f -a "list" -d 'Reports, newest first'
complete -c medmon -n "__fish_medmon_using_subcommand report; and not __fish_seen_subcommand_from add list show" -f -a "show" -d 'One report'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l kind -d '"visit", "call", "note" or another word of the house' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l text -d 'The text [else --file, what is piped in, or $EDITOR]' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l file -d 'A file with the text' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand report; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -f -a "add" -d 'Say how you feel, or a patient does; prints the id. Kept here while the server does not answer'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and not __fish_seen_subcommand_from add list" -f -a "list" -d 'Feelings, newest first'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l patient -d 'Id, unique prefix, or beginning of the name [else your own record]' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l mood -d '1 (bad) to 5 (good)' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l pain -d '0 (none) to 10 (worst)' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l text -d 'In your words' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l patient -d 'Id, unique prefix, or beginning of the name [else your own record]' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand feeling; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -f -a "list" -d 'What waits'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -f -a "flush" -d 'Send what waits'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and not __fish_seen_subcommand_from list flush remove" -f -a "remove" -d 'Forget something that waits, such as what the server will never take'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand outbox; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "list" -d 'Gateways by name'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "show" -d 'One gateway and its last sign of life'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "add" -d 'Add a gateway; prints its one-time code for `medmon-gatewayd enrol CODE`'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "code" -d 'A new one-time code, for a box that is replaced'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "revoke" -d 'End a gateway\'s token; it must not be bound'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "quarantine" -d 'What a gateway sent that was set aside, and why'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "release" -d 'Put what was set aside into a patient\'s record'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and not __fish_seen_subcommand_from list show add code revoke quarantine release dismiss" -f -a "dismiss" -d 'Leave what was set aside out of every record'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l name -d 'Such as "gw-0007"' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from code" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from quarantine" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l patient -d 'Id, unique prefix or name' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l epoch -d 'Which assignment of the patient, by its epoch; default the newest' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand gateway; and __fish_seen_subcommand_from dismiss" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -f -a "list" -d 'Sensors of a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -f -a "assign" -d 'Listen to a sensor for a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -f -a "history" -d 'Every patient a sensor was given to, and the gateways that hear it'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -f -a "pair" -d 'Let sensors on the list join a gateway for a while'
complete -c medmon -n "__fish_medmon_using_subcommand device; and not __fish_seen_subcommand_from list assign history pair unassign" -f -a "unassign" -d 'Listen to it no more'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l vitals -d 'What it measures: heart_rate,temperature …' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l label -d 'As people call it: "wrist band"' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l every -d 'Seconds between its readings, where they are not as usual; silence is two and a half times as long' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l place -d 'waist, wrist, chest, pocket' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from assign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l gateway -d 'Id, unique prefix or name' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l for -d 'How long: 60s, 5m; 15 min at most' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from pair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l patient -d 'Id, unique prefix, or beginning of the name' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand device; and __fish_seen_subcommand_from unassign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -f -a "list" -d 'Wards by name'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and not __fish_seen_subcommand_from list add" -f -a "add" -d 'Add a ward; prints the id'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l name -d 'Unique in its site' -r
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l on-call-phone -d 'Texted after a patient\'s contacts: +33612345678' -r
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand ward; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "create" -d 'Make a token; prints it once'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "list" -d 'Tokens without their secrets, newest first'
complete -c medmon -n "__fish_medmon_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "revoke" -d 'End a token'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l name -d 'As shown: "A. Martin"' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l role -d 'doctor, nurse, relative, patient, maintainer, admin' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l ward -d 'Confined to this ward' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l patient -d 'The id of a relative\'s or patient\'s record' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l expires-in -d 'It ends by itself after so long: 30d' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "status" -d 'How the gateway is'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "tap" -d 'Accepted readings, one a line'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "alerts" -d 'Alerts of this home'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "sms" -d 'Texts, sent and waiting'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "gaps" -d 'Readings that were lost here, and why'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "devices" -d 'Sensors it hears'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "unmatched" -d 'Attributes of sensors that no mapping row is for, each with a row to begin with'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "pair" -d 'Lets sensors join while it runs'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "drill" -d 'An exercise: a marked alarm from a virtual reading to a contact\'s reply, which it waits for'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "ack" -d 'Acknowledges an alert on the spot: the texts to relatives stop, the ward still sees it'
complete -c medmon -n "__fish_medmon_using_subcommand local; and not __fish_seen_subcommand_from status tap alerts sms gaps devices unmatched pair drill ack radio" -f -a "radio" -d 'The Zigbee network of this home'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l from -d 'From the oldest reading kept' -r -f -a "start\t'At the oldest reading kept'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l follow -d 'Go on as readings come'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from tap" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from alerts" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from sms" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from gaps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from devices" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from unmatched" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l for -d 'How long, such as 60s or 10m; an hour at most' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from pair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l contact -d 'Whom to text: a name, or the beginning of an id; the first contact if it is left out' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l for -d 'How long to wait for the reply' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from drill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l by -d 'Who takes care of it' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l socket -d 'The gateway\'s socket' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -f -a "form" -d 'Wipes the dongle and forms a new network: every sensor must be paired again'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -f -a "adopt" -d 'Takes the network of the dongle that is plugged in for this home\'s'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -f -a "restore" -d 'Puts the backup of this home\'s network onto the dongle that is plugged in: no sensor need be paired again'
complete -c medmon -n "__fish_medmon_using_subcommand local; and __fish_seen_subcommand_from radio" -f -a "backup" -d 'Takes a backup of the network now; one is taken every night and after sensors joined'
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -f -a "template" -d 'Every key of every program, to start a configuration from'
complete -c medmon -n "__fish_medmon_using_subcommand config; and not __fish_seen_subcommand_from template show" -f -a "show" -d 'The `client` section in force here'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from template" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand completions" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand completions" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand completions" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand completions" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand completions" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand completions" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand completions" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand completions" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand help" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand help" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand help" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand help" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand help" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand help" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand help" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand help" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c medmon -n "__fish_medmon_using_subcommand generate" -s o -l output -d 'How to print: table and wide are tab-separated on a pipe' -r -f -a "table\t'Columns'
wide\t'More columns, full ids'
json\t'One document'
jsonl\t'One document a line'
csv\t'All columns with a header'"
complete -c medmon -n "__fish_medmon_using_subcommand generate" -l url -d 'The server [else MEDMON_CLIENT__URL, or client.url of the configuration]' -r
complete -c medmon -n "__fish_medmon_using_subcommand generate" -l config -d 'Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]' -r -F
complete -c medmon -n "__fish_medmon_using_subcommand generate" -l lang -d 'Language of the dashboard' -r -f -a "en\t'English'
fr\t'French'"
complete -c medmon -n "__fish_medmon_using_subcommand generate" -s q -l quiet -d 'Ids only'
complete -c medmon -n "__fish_medmon_using_subcommand generate" -l no-color -d 'No colours; the dashboard then says all by marks and words'
complete -c medmon -n "__fish_medmon_using_subcommand generate" -s v -l verbose -d 'Say which server, and what lies behind an error'
complete -c medmon -n "__fish_medmon_using_subcommand generate" -l yes -d 'Do not ask before a change to a patient'
complete -c medmon -n "__fish_medmon_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
