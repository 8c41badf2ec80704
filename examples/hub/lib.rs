//! Nothing: the lessons of this package are the files beside this one. `docs/EMBED.md` goes through them.
