//! What is asked for on the command line.

pub(crate) const USAGE: &str = "\
usage: cargo xtask sim [--seeds N] [--seed S] [--steps K] [--planted [--only DEFECT]]

  --seeds N   so many worlds; 500 if nothing is said, 1 if only --seed is
  --seed S    the first of them; 0 if nothing is said
  --steps K   steps in each; 200 if nothing is said
  --planted   runs engines with one planted defect each and shows how each is found
  --only D    of the planted defects only this one";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) first: u64,
    pub(crate) seeds: u64,
    pub(crate) steps: u32,
    pub(crate) planted: bool,
    #[cfg_attr(
        not(sync_planted),
        expect(dead_code, reason = "read where defects are")
    )]
    pub(crate) only: Option<String>,
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut first, mut seeds, mut steps) = (None, None, None);
        let (mut planted, mut only) = (false, None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seeds" => seeds = Some(number(&word, words.next())?),
                "--seed" => first = Some(number(&word, words.next())?),
                "--steps" => steps = Some(number(&word, words.next())?),
                "--planted" => planted = true,
                "--only" => only = words.next(),
                _ => return Err(format!("unknown argument {word:?}")),
            }
        }
        let unasked = if first.is_some() { 1 } else { 500 };
        Ok(Self {
            first: first.unwrap_or(0),
            seeds: seeds.unwrap_or(unasked),
            steps: u32::try_from(steps.unwrap_or(200)).map_err(|error| error.to_string())?,
            planted,
            only,
        })
    }

    /// One past the last seed.
    pub(crate) fn last(&self) -> u64 {
        self.first.saturating_add(self.seeds)
    }
}

fn number(name: &str, word: Option<String>) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("{name} needs a number"))?;
    word.parse()
        .map_err(|_| format!("{name} needs a number, not {word:?}"))
}
