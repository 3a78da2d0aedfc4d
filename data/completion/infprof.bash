# SPDX-License-Identifier: MIT
# Completion of infprof for bash: what can stand at the cursor is asked of infprof itself
# (infprof complete). It does with and without the package bash-completion.

# The words up to the cursor, as they were typed, into words, and where each begins among the pieces
# of bash, which cuts at : and =, into starts. What no blank parts is one word.
_infprof_words()
{
        local line=${COMP_LINE:0:COMP_POINT} part blank i

        words=() starts=()
        for ((i = 0; i <= COMP_CWORD; i++)); do
                part=${COMP_WORDS[i]}
                blank=${line%%[![:space:]]*}
                line=${line#"$blank"}
                [[ $line == "$part"* ]] || part=$line # it goes on behind the cursor
                line=${line#"$part"}
                if ((i > 0)) && [[ ! $blank ]]; then
                        words[${#words[@]} - 1]+=$part
                else
                        words+=("$part") starts+=("$i")
                fi
        done
        cur=${words[${#words[@]} - 1]}
}

# Into plain, without quotes and backslashes; nothing in it is carried out. The quote that is open at
# the end goes into open_quote, and what is before it into before_quote.
_infprof_plain()
{
        local text=$1 quote="" c
        local -i i

        plain="" before_quote=""
        for ((i = 0; i < ${#text}; i++)); do
                c=${text:i:1}
                if [[ $quote == "'" ]]; then
                        [[ $c == "'" ]] && quote="" || plain+=$c
                elif [[ $c == \\ ]]; then
                        i+=1
                        plain+=${text:i:1}
                elif [[ $quote ]]; then
                        [[ $c == '"' ]] && quote="" || plain+=$c
                elif [[ $c == [\'\"] ]]; then
                        quote=$c before_quote=$plain
                else
                        plain+=$c
                fi
        done
        open_quote=$quote
}

_infprof()
{
        local cur plain open_quote before_quote word line last="" prefix="" program=$1
        local -a words starts plains=()

        COMPREPLY=()
        _infprof_words
        for word in "${words[@]}"; do
                _infprof_plain "$word"
                plains+=("$plain")
        done

        [[ $program == '~/'* ]] && program=$HOME/${program#'~/'}

        # what bash takes for the word begins behind the last : or =
        [[ ! $open_quote && $cur == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]] && prefix=${cur%"${cur##*[:=]}"}

        while IFS= read -r line; do
                if [[ $line == :* ]]; then
                        last=$line
                        continue
                fi
                line=${line%%$'\t'*}
                if [[ $open_quote ]]; then
                        COMPREPLY+=("${line#"$before_quote"}") # as it is; bash closes the quotes
                else
                        printf -v line %q "$line"
                        COMPREPLY+=("${line#"$prefix"}")
                fi
        done < <("$program" complete -- "${plains[@]:1}" 2>/dev/null)

        case $last in
        :files)
                compopt -o filenames 2>/dev/null
                _infprof_plain "${cur#"$prefix"}"
                while IFS= read -r line; do
                        COMPREPLY+=("$line")
                done < <(compgen -f -- "$plain")
                ;;
        :command*)
                _infprof_command "${starts[${last#:command }]}"
                ;;
        *)
                # --by= goes on, and so does folder/
                [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace 2>/dev/null
                ;;
        esac
        return 0
}

# From piece $1 of bash on the line is a command of its own.
_infprof_command()
{
        local line

        if declare -F _comp_command_offset >/dev/null; then
                _comp_command_offset "$1"
        elif declare -F _command_offset >/dev/null; then
                _command_offset "$1"
        else
                compopt -o filenames 2>/dev/null
                _infprof_plain "${COMP_WORDS[COMP_CWORD]}"
                if (($1 == COMP_CWORD)) && [[ $plain != */* ]]; then
                        while IFS= read -r line; do
                                COMPREPLY+=("$line")
                        done < <(compgen -c -- "$plain" | sort -u)
                fi
                while IFS= read -r line; do
                        COMPREPLY+=("$line")
                done < <(compgen -f -- "$plain")
        fi
}

complete -F _infprof infprof
