package io.github.kdtf.books;

import android.app.Activity;
import android.os.Bundle;
import android.text.Editable;
import android.text.TextWatcher;
import android.view.View;
import android.widget.EditText;
import android.widget.TextView;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.Latency;
import java.util.List;

/** The three pages behind the tabs: my shelf, for you, this model. */
public final class MainActivity extends Activity implements Library.Listener {
    private static final String TAB = "tab";
    private static final String MEASURED = "measured";
    private static final String CARD = "card";
    private static final int FOUND_LIMIT = 30;

    /** Tabs in their order: button, list, title. */
    private static final int[][] TABS = {
        {R.id.tab_shelf, R.id.shelf_list, R.string.tab_shelf},
        {R.id.tab_for_you, R.id.for_you_list, R.string.tab_for_you},
        {R.id.tab_about, R.id.about_list, R.string.about_title},
    };

    private Library library;
    private LibraryState state;
    private UndoBar undoBar;
    private ShelfPage shelfPage;
    private ForYouPage forYouPage;
    private AboutPage aboutPage;
    private EditText search;
    private int tab;

    /** Books for what stands in the search field; null while it is empty. */
    private List<Book> found;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.activity_main);
        library = BooksApplication.library(this);
        undoBar = new UndoBar(this, library);
        shelfPage = new ShelfPage(this, library);
        forYouPage = new ForYouPage(this, library);
        aboutPage = new AboutPage(this);
        Headings.mark(findViewById(R.id.screen_title));
        for (int i = 0; i < TABS.length; i++) {
            final int chosen = i;
            findViewById(TABS[i][0]).setOnClickListener(new View.OnClickListener() {
                @Override
                public void onClick(View view) {
                    choose(chosen);
                }
            });
        }
        prepareSearch();
        if (saved != null) {
            tab = saved.getInt(TAB);
            aboutPage.measured = saved.getString(MEASURED);
            if (saved.getBoolean(CARD)) {
                showCard();
            }
        } else {
            library.keepChange(); // a new visit: nobody asks to undo what was done at the last one
        }
        library.addListener(this);
        choose(tab);
    }

    @Override
    protected void onSaveInstanceState(Bundle saved) {
        super.onSaveInstanceState(saved);
        saved.putInt(TAB, tab);
        saved.putString(MEASURED, aboutPage.measured);
        saved.putBoolean(CARD, aboutPage.card != null);
    }

    @Override
    protected void onRestart() {
        super.onRestart();
        library.updateMoment();
    }

    @Override
    protected void onDestroy() {
        library.removeListener(this);
        super.onDestroy();
    }

    @Override
    public void onLibrary(LibraryState state) {
        boolean opened = this.state != null && this.state.phase != state.phase;
        this.state = state;
        undoBar.show(state);
        shelfPage.show(state);
        forYouPage.show(state);
        aboutPage.show(state);
        if (opened) {
            lookUp(); // what was typed before there was a catalogue
        }
        arrange();
    }

    void choose(int chosen) {
        tab = chosen;
        arrange();
    }

    void measure() {
        aboutPage.measuring = true;
        aboutPage.show(state);
        library.measure(new Library.Answer<Latency>() {
            @Override
            public void on(Latency latency) {
                aboutPage.measuring = false;
                if (latency != null) {
                    aboutPage.measured = aboutPage.sentence(latency);
                    findViewById(R.id.about_list).announceForAccessibility(aboutPage.measured);
                }
                aboutPage.show(state);
            }
        });
    }

    void rerank(boolean on) {
        library.rerank(on);
    }

    void showCard() {
        library.modelCard(new Library.Answer<String>() {
            @Override
            public void on(String card) {
                aboutPage.card = card;
                aboutPage.show(state);
            }
        });
    }

    private void prepareSearch() {
        search = findViewById(R.id.search);
        search.addTextChangedListener(new TextWatcher() {
            @Override
            public void beforeTextChanged(CharSequence text, int start, int count, int after) {}

            @Override
            public void onTextChanged(CharSequence text, int start, int before, int count) {}

            @Override
            public void afterTextChanged(Editable text) {
                lookUp();
            }
        });
        findViewById(R.id.search_clear).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                search.setText("");
                search.requestFocus();
            }
        });
    }

    private void lookUp() {
        final String typed = typed();
        if (typed.isEmpty()) {
            found = null;
            arrange();
            return;
        }
        library.search(typed, FOUND_LIMIT, new Library.Answer<List<Book>>() {
            @Override
            public void on(List<Book> books) {
                if (typed.equals(typed())) {
                    found = books;
                    arrange();
                }
            }
        });
    }

    private String typed() {
        return search.getText().toString().trim();
    }

    private void arrange() {
        if (state == null) {
            return;
        }
        boolean searches = tab == 0 && found != null && state.phase == LibraryState.Phase.READY;
        for (int i = 0; i < TABS.length; i++) {
            boolean chosen = i == tab;
            findViewById(TABS[i][0]).setSelected(chosen);
            show(TABS[i][1], chosen && !searches);
            if (chosen) {
                ((TextView) findViewById(R.id.screen_title)).setText(TABS[i][2]);
                setTitle(TABS[i][2]);
            }
        }
        show(R.id.found_list, searches);
        show(R.id.search_box, tab == 0 && state.phase != LibraryState.Phase.REFUSED);
        show(R.id.search_clear, !typed().isEmpty());
        if (searches) {
            shelfPage.showFound(found, state);
        }
        say(status(searches));
    }

    private String status(boolean searches) {
        if (state.phase == LibraryState.Phase.OPENING) {
            return state.booksAll == 0 ? getString(R.string.opening)
                    : getString(R.string.opening_progress, Words.number(state.booksRead),
                            Words.number(state.booksAll));
        }
        if (searches) {
            if (found.size() == FOUND_LIMIT) {
                return getString(R.string.search_first, FOUND_LIMIT);
            }
            return found.isEmpty() ? getString(R.string.search_nothing)
                    : getResources().getQuantityString(R.plurals.search_found, found.size(),
                            found.size());
        }
        if (tab == 0 && !state.shelf.isEmpty()) {
            return getResources().getQuantityString(R.plurals.shelf_count, state.shelf.size(),
                    state.shelf.size());
        }
        return tab == 1 && state.phase == LibraryState.Phase.READY && !state.shelf.isEmpty()
                ? getString(R.string.for_you_note) : "";
    }

    /** Shows a sentence in the line under the title, which screen readers say when it changes. */
    private void say(String sentence) {
        TextView status = findViewById(R.id.status);
        if (!sentence.contentEquals(status.getText())) {
            status.setText(sentence);
        }
        status.setVisibility(sentence.isEmpty() ? View.GONE : View.VISIBLE);
    }

    private void show(int id, boolean visible) {
        findViewById(id).setVisibility(visible ? View.VISIBLE : View.GONE);
    }
}
