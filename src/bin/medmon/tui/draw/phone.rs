//! The phones of the demo: each text as it comes, and what was replied.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Widget};

use super::style::{PLAIN, Styles, TITLE};
use super::{columns, fit, wrapped};
use crate::tui::PhoneLine;
use crate::tui::app::App;

fn head(app: &App, line: &PhoneLine) -> String {
    let at = line.at.to_zoned_datetime(app.look.zone.clone()).strftime("%H:%M:%S").to_string();
    // Out to somebody's phone, or back from it.
    if line.incoming { format!("{at} ◂ {}", line.from) } else { format!("{at} ▸ {}", line.to) }
}

/// On the right of a wide screen: newest at the bottom, texts in full.
pub fn side(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let block = Block::bordered().title(format!(" {} ", app.look.words.phone)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if app.phone.is_empty() {
        return Line::styled(format!(" {}", app.look.words.no_texts), styles.quiet()).render(inner, buf);
    }
    let mut bottom = inner.bottom();
    for line in app.phone.iter().rev() {
        let text = wrapped(&line.text, usize::from(inner.width).saturating_sub(3));
        let Some(top) = bottom.checked_sub(text.len() as u16 + 2).filter(|top| *top >= inner.top()) else { break };
        let style = if line.incoming { styles.calm() } else { TITLE };
        Line::styled(format!(" {}", head(app, line)), style).render(Rect { y: top, height: 1, ..inner }, buf);
        for (text, y) in text.into_iter().zip(top + 1..) {
            Line::raw(fit(&format!("   {text}"), inner.width.into())).render(Rect { y, height: 1, ..inner }, buf);
        }
        bottom = top;
    }
}

/// Below a narrow one: as many of the newest as there is room for, each in full.
pub fn below(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let block =
        Block::new().borders(Borders::TOP).title(format!("─ {} ", app.look.words.phone)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if app.phone.is_empty() {
        return Line::styled(format!(" {}", app.look.words.no_texts), styles.quiet()).render(inner, buf);
    }
    let mut bottom = inner.bottom();
    for line in app.phone.iter().rev() {
        let head = format!(" {} ", head(app, line));
        let width = usize::from(inner.width).saturating_sub(columns(&head) + 1);
        let text = wrapped(&line.text, width);
        // The newest is shown even where only its beginning fits.
        let newest = bottom == inner.bottom();
        let top = match bottom.checked_sub(text.len() as u16).filter(|top| *top >= inner.top()) {
            Some(top) => top,
            None if newest => inner.top(),
            None => break,
        };
        let style = if line.incoming { styles.calm() } else { PLAIN };
        for (index, (text, y)) in text.iter().zip(top..bottom).enumerate() {
            // What follows stands under the text, so that times and names make a column of their own.
            let lead = if index == 0 { head.clone() } else { " ".repeat(columns(&head)) };
            let text = fit(&(lead + text), inner.width.into());
            Line::styled(text, style).render(Rect { y, height: 1, ..inner }, buf);
        }
        bottom = top;
    }
}
