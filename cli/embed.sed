# Turns a text into a C string literal. Lines that are comments only stay behind.
/^ *\/\//d
s/[\\"]/\\&/g
s/.*/"&\\n"/
