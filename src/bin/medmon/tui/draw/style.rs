//! How things look. Marks and words say everything; colours only say it faster.

use ratatui::style::{Color, Modifier, Style};

/// As everything else.
pub const PLAIN: Style = Style::new();
/// Names of things.
pub const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);

/// With colours or without.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    /// The terminal's own sixteen, so that light and dark themes both work.
    pub colour: bool,
}

impl Styles {
    fn of(self, colour: Color, mono: Modifier) -> Style {
        if self.colour { Style::new().fg(colour).add_modifier(mono) } else { Style::new().add_modifier(mono) }
    }

    /// High priority.
    pub fn high(self) -> Style {
        self.of(Color::Red, Modifier::BOLD)
    }

    /// Medium priority.
    pub fn medium(self) -> Style {
        self.of(Color::Yellow, Modifier::BOLD)
    }

    /// Low priority.
    pub fn low(self) -> Style {
        self.of(Color::Cyan, Modifier::empty())
    }

    /// Not known.
    pub fn unknown(self) -> Style {
        self.of(Color::Magenta, Modifier::BOLD)
    }

    /// In hand.
    pub fn calm(self) -> Style {
        self.of(Color::Green, Modifier::empty())
    }

    /// Beside the point.
    pub fn quiet(self) -> Style {
        self.of(Color::DarkGray, if self.colour { Modifier::empty() } else { Modifier::DIM })
    }

    /// Older than it may be; also laid over what is there.
    pub fn old(self) -> Style {
        let grey = self.quiet().remove_modifier(Modifier::REVERSED | Modifier::BOLD);
        if self.colour { grey.bg(Color::Reset) } else { grey }
    }

    /// White on red, in the lit half of a blinking or always.
    pub fn alarm(self, lit: bool) -> Style {
        if lit { self.high().add_modifier(Modifier::REVERSED) } else { self.high() }
    }
}
