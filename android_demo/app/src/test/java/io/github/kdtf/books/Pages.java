package io.github.kdtf.books;

import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.Intent;
import android.net.Uri;
import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.BundleFiles;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.robolectric.RuntimeEnvironment;

/** Goes to every page that the app has, in a state worth seeing. */
final class Pages {
    private static final Uri DOCUMENT = Uri.parse("content://documents/library.csv");

    interface Visitor {
        void visit(String name, Phone<? extends Activity> phone) throws Exception;
    }

    private Pages() {}

    static void visitAll(List<String> shelf, Visitor visitor) throws Exception {
        TestApplication application = (TestApplication) RuntimeEnvironment.getApplication();
        TestApplication.bundle = null;
        Phone<MainActivity> phone = Phone.launch();
        visitor.visit("shelf_empty", phone);
        phone.shelve(shelf);
        phone.tap(R.id.undo_dismiss);
        visitor.visit("shelf", phone);
        phone.tapAction(phone.titles().get(0));
        visitor.visit("shelf_undo", phone);
        phone.tap(R.id.undo);
        phone.type(Phone.state().shelf.get(0).name().substring(0, 5));
        visitor.visit("search", phone);
        phone.tap(R.id.search_clear);
        phone.tap(R.id.tab_for_you);
        phone.waitForReasons();
        visitor.visit("for_you", phone);
        phone.tapAction(phone.titles().get(0));
        phone.tap(R.id.undo_dismiss);
        phone.waitForReasons();
        phone.row(phone.rows().size() - 1);
        visitor.visit("for_you_end", phone);
        phone.tap(R.id.tab_about);
        phone.tapButton(phone.activity().getString(R.string.about_measure));
        phone.row(0);
        visitor.visit("about", phone);
        phone.row(phone.rows().size() - 1);
        visitor.visit("about_end", phone);

        Phone<BookActivity> book = Phone.open(BookActivity.class,
                BookActivity.of(application, Phone.state().forYou.get(0).book.itemId));
        visitor.visit("book", book);
        book.row(book.rows().size() - 4);
        visitor.visit("book_similar", book);

        Phone<ImportActivity> page =
                Phone.open(ImportActivity.class, new Intent(application, ImportActivity.class));
        visitor.visit("import", page);
        importText(page, "Title,Author,Exclusive Shelf\n"
                + "\"" + Phone.state().forYou.get(0).book.title + "\",\""
                + Phone.state().forYou.get(0).book.authors + "\",read\n"
                + "The Unwritten Atlas,Nobody Yet,read\nHalf a Library,Some Body,read\n"
                + "Later,Any One,to-read\n");
        visitor.visit("import_report", page);
        importText(page, "Name,Writer\nA Book,Somebody\n");
        visitor.visit("import_refused", page);

        BundleFiles assets = new AssetBundle(application.getAssets(), "bundle");
        BundleFolder bundle = new BundleFolder(assets);
        bundle.write(BundleFiles.MODEL, "another model");
        TestApplication.bundle = bundle.files();
        try {
            phone.tap(R.id.tab_shelf);
            phone.killProcess();
            visitor.visit("refused", phone);
        } finally {
            TestApplication.bundle = null;
        }
    }

    private static void importText(Phone<ImportActivity> page, String text) {
        page.tapButton(page.activity().getString(R.string.import_choose));
        shadowOf(page.activity().getContentResolver()).registerInputStream(DOCUMENT,
                new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
        Intent asked = shadowOf(page.activity()).getNextStartedActivityForResult().intent;
        shadowOf(page.activity()).receiveResult(asked, Activity.RESULT_OK,
                new Intent().setData(DOCUMENT));
        page.settle();
        page.row(0);
    }
}
