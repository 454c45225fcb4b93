//! What is asked for on the command line.

pub(crate) const USAGE: &str = "\
usage: cargo xtask crash [--kills N] [--seed S] [--planted]

  --kills N   so many kills; 200 if nothing is said
  --seed S    what is drawn by lot; 0 if nothing is said. The same seed is not the same run: the
              machine decides when a kill strikes
  --planted   runs engines with one planted defect each and shows how each is found";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) kills: u32,
    pub(crate) seed: u64,
    pub(crate) planted: bool,
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut this = Self {
            kills: 200,
            seed: 0,
            planted: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--kills" => {
                    let kills = number(&word, words.next())?;
                    this.kills = u32::try_from(kills).map_err(|error| error.to_string())?;
                }
                "--seed" => this.seed = number(&word, words.next())?,
                "--planted" => this.planted = true,
                _ => return Err(format!("unknown argument {word:?}")),
            }
        }
        Ok(this)
    }
}

fn number(name: &str, word: Option<String>) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("{name} needs a number"))?;
    word.parse()
        .map_err(|_| format!("{name} needs a number, not {word:?}"))
}
